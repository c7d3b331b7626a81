/**
 * File names are bytes. Valid UTF-8 travels as a plain string; anything else travels as a readable string plus
 * the exact bytes in base64 (`pathBytes`), so that no name is ever lost or crashes a codec (contract §9).
 */
export interface PathName {
  /** Relative to the source's root, `/`-separated. Lossy (U+FFFD) when `pathBytes` is present. */
  readonly path: string;
  /** Base64 of the exact bytes; present only when they are not valid UTF-8. */
  readonly pathBytes?: string;
}

/** Names exact bytes; adds `pathBytes` only where a string cannot carry them. */
export function pathNameOf(bytes: Buffer): PathName {
  const path = bytes.toString('utf8');
  // A lossy decode always contains U+FFFD, so the exact comparison is needed for such names only.
  if (!path.includes('�') || Buffer.from(path, 'utf8').equals(bytes)) return { path };
  return { path, pathBytes: bytes.toString('base64') };
}

/** The exact bytes of a path name. */
export function bytesOf(name: PathName): Buffer {
  return name.pathBytes === undefined
    ? Buffer.from(name.path, 'utf8')
    : Buffer.from(name.pathBytes, 'base64');
}

/**
 * What node:fs takes for a path under `root`: a string where that is exact, else bytes.
 * @param root absolute path of the source's root
 */
export function pathOnDisk(root: string, name: PathName): string | Buffer {
  if (name.pathBytes === undefined) return `${root}/${name.path}`;
  return Buffer.concat([Buffer.from(`${root}/`, 'utf8'), bytesOf(name)]);
}

/** The folder directly in the root that a file lies in; null: it lies in the root itself. */
export function topFolderOf(name: PathName): PathName | null {
  const slash = name.path.indexOf('/');
  if (slash === -1) return null;
  if (name.pathBytes === undefined) return { path: name.path.slice(0, slash) };
  const bytes = bytesOf(name);
  return pathNameOf(bytes.subarray(0, bytes.indexOf(SLASH)));
}

const SLASH = 0x2f;
