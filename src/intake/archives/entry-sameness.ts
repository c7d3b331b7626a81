import type { EntryMark, KeptEntryMark } from '../../domain/entry-mark.ts';
import type { RecordedVersion } from '../ports.ts';

/**
 * Whether an entry with a name, size and time that are recorded has the bytes that are recorded.
 * - `same`: by its checksum, or because the archive is the very file that it was
 * - `unmarked`: nobody kept by what to tell, so what lies there now is taken for known
 * - `other`: it is the next generation
 * - `unknown`: its bytes have to be compared
 */
export type EntrySameness = 'same' | 'unmarked' | 'other' | 'unknown';

/** Pure. */
export function entrySameness(
  recorded: RecordedVersion,
  kept: KeptEntryMark | null,
  now: EntryMark,
): EntrySameness {
  if (kept === null || kept.gen !== recorded.gen) return 'unmarked';
  const hasSums = kept.crc32 !== null && now.crc32 !== null;
  if (hasSums && kept.crc32 !== now.crc32) return 'other';
  if (kept.archive === now.archive) return 'same';
  // It could not be unpacked from another file: in this one it may be whole.
  if (recorded.status === 'failed' && recorded.code?.startsWith('archive_') === true) return 'other';
  if (hasSums) return 'same';
  // Only uploads have bytes to be compared with.
  return recorded.status === 'uploaded' ? 'unknown' : 'same';
}
