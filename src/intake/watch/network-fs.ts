import { statfs } from 'node:fs/promises';

/** f_type of file systems that other machines write to: their changes raise no event here (linux/magic.h, statfs(2)). */
const NETWORK_TYPES: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  // Also virtiofs and the bind mounts of desktop container engines, where host events do not arrive either.
  [0x65735546, 'FUSE'],
  [0x01021997, '9p'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x73757245, 'Coda'],
  [0x564c, 'NCP'],
  [0x7461636f, 'OCFS2'],
  [0x01161970, 'GFS2'],
  [0x0bd00bd0, 'Lustre'],
  [0x786f4256, 'vboxsf'],
  [0xbacbacbc, 'vmhgfs'],
]);

/**
 * Name of the network file system a path lies on; null for a local one, and where it cannot be told (only Linux
 * numbers its file systems the same everywhere; a path that is missing).
 */
export async function networkFileSystemOf(path: string, platform = process.platform): Promise<string | null> {
  if (platform !== 'linux') return null;
  const found = await statfs(path).catch(() => null);
  return found === null ? null : networkTypeOf(found.type);
}

/** What an f_type says: a network file system's name, or null. 32-bit systems report it signed. */
export function networkTypeOf(type: number): string | null {
  return NETWORK_TYPES.get(type >>> 0) ?? null;
}
