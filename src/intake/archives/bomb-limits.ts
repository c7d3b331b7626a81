import { formatBytes } from '../../platform/units.ts';

/** Deflate cannot do better than 1032:1, so only what was made to hurt, or is next to empty, comes near. */
export const MAX_RATIO = 1_000;
/** Below this much unpacked a ratio says nothing: 10 MiB of zeros hurt nobody. */
export const RATIO_FREE_BYTES = 10 * 1024 * 1024;
/** All files of one archive, unpacked, as far as it is believed. */
export const MAX_UNPACKED_BYTES = 16 * 1024 ** 4;
export const MAX_ENTRIES = 20_000_000;

/** Why these sizes are a bomb's; null when they are not. */
export function bombIn(packedBytes: number, unpackedBytes: number): string | null {
  if (unpackedBytes <= RATIO_FREE_BYTES || unpackedBytes <= packedBytes * MAX_RATIO) return null;
  return `${formatBytes(packedBytes)} would become ${formatBytes(unpackedBytes)}, more than ${MAX_RATIO} times as much`;
}

/** Watches the sum over one archive: entries may share their packed bytes, or be endless. */
export function createBombWatch(archiveBytes: number): {
  /** Why nothing more of this archive is to be read once this entry is counted; null: go on. */
  entry(unpackedBytes: number): string | null;
} {
  let entries = 0;
  let unpacked = 0;
  return {
    entry(unpackedBytes) {
      entries += 1;
      unpacked += unpackedBytes;
      if (entries > MAX_ENTRIES) return `it has more than ${MAX_ENTRIES} entries`;
      if (unpacked > MAX_UNPACKED_BYTES)
        return `its files come to more than ${formatBytes(MAX_UNPACKED_BYTES)}`;
      return bombIn(archiveBytes, unpacked);
    },
  };
}
