/**
 * Names that no person means to send, whatever the options say: unfinished files, and what systems keep for themselves.
 * Compared in lower case. Where a program writes its unfinished file under the final name (curl, wget, cp), no name
 * tells: `settle` does.
 */
const JUNK_NAMES: ReadonlySet<string> = new Set([
  // macOS: folders of its file systems, of archives it makes, and of shares
  '.ds_store',
  '.localized',
  '.spotlight-v100',
  '.fseventsd',
  '.trashes',
  '.temporaryitems',
  '.appledouble',
  '.documentrevisions-v100',
  '__macosx',
  // Windows
  'thumbs.db',
  'ehthumbs.db',
  'ehthumbs_vista.db',
  'desktop.ini',
  '$recycle.bin',
  'system volume information',
  // Synology, QNAP and TrueNAS: thumbnails, snapshots, and recycle bins, which hold what people meant to delete
  '@eadir',
  '@tmp',
  '@recycle',
  '@recently-snapshot',
  '#recycle',
  '#snapshot',
  // Syncthing, Dropbox, Nextcloud and ownCloud, Resilio: what they keep in the folders they sync
  '.stfolder',
  '.stversions',
  '.dropbox',
  '.dropbox.attr',
  '.dropbox.cache',
  '.owncloudsync.log',
  '.sync',
]);

/** Names of folders alone: ext2-4 puts what fsck saved into `lost+found`. */
const JUNK_FOLDERS: ReadonlySet<string> = new Set(['lost+found']);

const JUNK_ENDINGS = [
  // Firefox, Nextcloud and ownCloud (`.ocTransferId123.part`), Transmission, many others
  '.part',
  // Chrome, and its File System Access API
  '.crdownload',
  '.crswap',
  // Opera
  '.opdownload',
  // rclone, Internet Explorer
  '.partial',
  // WinSCP
  '.filepart',
  // aria2: what is written beside an unfinished download, which keeps its own name
  '.aria2',
  // qBittorrent, uTorrent, BitComet
  '.!qb',
  '.!ut',
  '.bc!',
  // Syncthing (`.syncthing.x.tmp`, `~syncthing~x.tmp`), OneDrive, Office (`~WRD0001.tmp`), Unison, anybody
  '.tmp',
] as const;

/** Safari keeps an unfinished download in a folder of that name; a file `notes.download` is the user's. */
const JUNK_FOLDER_ENDINGS = ['.download'] as const;

const JUNK_FORMS: readonly RegExp[] = [
  // vim: `.name.swp`, then swo, swn … when that one is taken. Without the leading dot it is the user's file.
  /^\..*\.sw[a-px]$/,
  // AppleDouble companions (`._photo.jpg`) that macOS leaves on foreign file systems
  /^\._/,
  // Office and LibreOffice: who has the document beside it open
  /^~\$/,
  /^\.~lock\..*#$/,
  // macOS while it saves a document: `report.pages.sb-1a2b3c4d-AbCdEf`
  /\.sb-[0-9a-f]{8}-[a-z0-9]{6}$/,
  // iCloud: a placeholder for a file that is not here
  /^\..+\.icloud$/,
  // rsync --partial-dir and --delay-updates, NFS and FUSE: deleted but still open; GNOME: being saved; trash folders
  /^\.rsync-partial$|^\.~tmp~$/,
  /^\.nfs[0-9a-f]{8,}$/,
  /^\.fuse_hidden[0-9a-f]+$/,
  /^\.goutputstream-/,
  /^\.trash-\d+$/,
];

/** Whether a name (one segment, no path) is junk. `report~` is not: that is the user's file. */
export function isJunk(name: string, isFolder: boolean): boolean {
  const lower = name.toLowerCase();
  const ends = (ending: string): boolean => lower.endsWith(ending);
  if (JUNK_NAMES.has(lower) || JUNK_ENDINGS.some(ends)) return true;
  if (isFolder && (JUNK_FOLDERS.has(lower) || JUNK_FOLDER_ENDINGS.some(ends))) return true;
  return JUNK_FORMS.some((form) => form.test(lower));
}
