import { hash } from 'node:crypto';
import type { Entry } from 'yauzl';
import { bytesOf, type PathName } from '../../domain/path-bytes.ts';
import { MAX_ENTRIES } from './bomb-limits.ts';
import { judgeEntryName } from './entry-name.ts';
import { endOf } from './zip-headers.ts';
import { undecidedName } from './zip-names.ts';

/** What has to be known of all entries before the first one is taken. */
export interface ZipSurvey {
  readonly entries: number;
  /** Why there are no more; null: these are all. */
  readonly damage: string | null;
  /** Names that do not say how they are to be read: enough of them to guess it. */
  readonly undecided: readonly Buffer[];
}

/** Bytes of names; more make no guess better. */
const MAX_SAMPLE_BYTES = 64 * 1024;

/**
 * Looks through a directory.
 * @throws Error when entries lie over one another: a few megabytes can be made to look like many gigabytes
 */
export async function surveyZip(headers: AsyncIterable<Entry>): Promise<ZipSurvey> {
  const undecided: Buffer[] = [];
  let sampleBytes = 0;
  let entries = 0;
  let damage: string | null = null;
  const places = createPlaces();
  try {
    for await (const entry of headers) {
      entries += 1;
      if (entries > MAX_ENTRIES) throw new Error(`it has more than ${MAX_ENTRIES} entries`);
      places.add(entry);
      const name = sampleBytes < MAX_SAMPLE_BYTES ? undecidedName(entry) : null;
      if (name === null) continue;
      undecided.push(name);
      sampleBytes += name.length;
    }
  } catch (error) {
    if (!(error instanceof Error) || 'syscall' in error) throw error;
    damage = error.message;
  }
  const [first, second] = places.overlap() ?? [];
  if (first !== undefined && second !== undefined) {
    throw new Error(
      `its entries ${first + 1} and ${second + 1} lie over one another, which no packer does: a zip bomb`,
    );
  }
  return { entries, damage, undecided };
}

/** Numbers that grow without a copy for each. */
function createNumbers(): { add(value: number): void; all(): Float64Array } {
  let values = new Float64Array(1024);
  let count = 0;
  return {
    add(value) {
      if (count === values.length) {
        const more = new Float64Array(values.length * 2);
        more.set(values);
        values = more;
      }
      values[count] = value;
      count += 1;
    },
    all: () => values.subarray(0, count),
  };
}

/** Where the packed bytes of entries lie: sixteen bytes for each. */
function createPlaces(): { add(entry: Entry): void; overlap(): readonly [number, number] | null } {
  const starts = createNumbers();
  const ends = createNumbers();
  let isInOrder = true;
  let lastEnd = 0;
  return {
    add(entry) {
      const start = entry.relativeOffsetOfLocalHeader;
      // One without bytes unpacks to nothing, wherever it says it lies.
      const end = entry.compressedSize === 0 ? start : endOf(entry);
      if (end > start && start < lastEnd) isInOrder = false;
      lastEnd = Math.max(lastEnd, end);
      starts.add(start);
      ends.add(end);
    },
    overlap() {
      if (isInOrder) return null;
      const [from, to] = [starts.all(), ends.all()];
      const order = Uint32Array.from(from, (_, index) => index);
      order.sort((a, b) => (from[a] ?? 0) - (from[b] ?? 0));
      let last: number | null = null;
      for (const index of order) {
        if (to[index] === from[index]) continue;
        if (last !== null && (from[index] ?? 0) < (to[last] ?? 0)) return [last, index];
        last = index;
      }
      return null;
    },
  };
}

/** Which entries, by their place in the directory, have a later one of the same name: unpackers keep the last. */
export async function replacedEntries(
  headers: AsyncIterable<Entry>,
  entries: number,
  nameOf: (entry: Entry) => PathName,
): Promise<ReadonlySet<number>> {
  if (entries === 0) return new Set();
  const hashes = new BigUint64Array(entries);
  let index = 0;
  for await (const entry of headers) {
    const verdict = judgeEntryName(nameOf(entry));
    // A folder may come as often as it likes: 0 is no file's.
    if (verdict.kind !== 'folder') hashes[index] = hashOf(verdict.name);
    index += 1;
    if (index === entries) break;
  }
  const twice = valuesSeenTwice(hashes);
  const replaced = new Set<number>();
  for (let at = entries - 1; at >= 0 && twice.size > 0; at -= 1) {
    const isLast = twice.get(hashes[at] ?? 0n);
    if (isLast === undefined) continue;
    if (isLast) twice.set(hashes[at] ?? 0n, false);
    else replaced.add(at);
  }
  return replaced;
}

/** 64 bits: among a million names two share one by chance once in thirty million archives. */
function hashOf(name: PathName): bigint {
  return hash('sha256', bytesOf(name), 'buffer').readBigUInt64LE(0) | 1n;
}

/** Each with whether the last of them is still to come, seen from the end. */
function valuesSeenTwice(values: BigUint64Array): Map<bigint, boolean> {
  const sorted = values.toSorted();
  const twice = new Map<bigint, boolean>();
  for (let at = 1; at < sorted.length; at += 1)
    if (sorted[at] === sorted[at - 1] && sorted[at] !== 0n) twice.set(sorted[at] ?? 0n, true);
  return twice;
}
