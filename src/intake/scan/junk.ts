/** Names that no person means to send, whatever the options say (contract §4). Compared in lower case. */
const JUNK_NAMES: ReadonlySet<string> = new Set([
  // macOS
  '.ds_store',
  '.spotlight-v100',
  '.fseventsd',
  '.trashes',
  // Windows
  'thumbs.db',
  'ehthumbs.db',
  'desktop.ini',
  '$recycle.bin',
  'system volume information',
  // NAS boxes: thumbnails and the recycle bin, which holds what people meant to delete
  '@eadir',
  '#recycle',
  // Syncthing
  '.stfolder',
  '.stversions',
]);

const JUNK_ENDINGS = ['.part', '.crdownload', '.tmp'] as const;

/** vim: `.name.swp`, then swo, swn … when that one is taken. Without the leading dot it is the user's file. */
const EDITOR_SWAP = /^\..*\.sw[a-px]$/;

/** Whether a name (one segment, no path) is junk. `report~` is not: that is the user's file. */
export function isJunk(name: string): boolean {
  const lower = name.toLowerCase();
  if (JUNK_NAMES.has(lower) || JUNK_ENDINGS.some((ending) => lower.endsWith(ending))) return true;
  // AppleDouble companions (`._photo.jpg`) that macOS leaves on foreign file systems.
  return lower.startsWith('._') || EDITOR_SWAP.test(lower);
}
