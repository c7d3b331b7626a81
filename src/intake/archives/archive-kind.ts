export type ArchiveKind = 'zip' | 'tar' | 'tar.gz';

/** By its name; null: not one that can be ingested entry by entry. */
export function archiveKind(path: string): ArchiveKind | null {
  const name = path.toLowerCase();
  if (name.endsWith('.zip')) return 'zip';
  if (name.endsWith('.tar')) return 'tar';
  return name.endsWith('.tar.gz') || name.endsWith('.tgz') ? 'tar.gz' : null;
}
