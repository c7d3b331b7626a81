import { setImmediate as nextTurn } from 'node:timers/promises';

/** Sorting this many takes a few milliseconds; a million at once would hold up recording for 100 ms. */
const PER_BUCKET = 50_000;

/**
 * Ascending order without a long stall: spread over ranges of the file, each sorted in its own turn of the event loop.
 * @param offsets each from 0 to below `end`
 */
export async function ascending(offsets: Float64Array, end: number): Promise<Float64Array> {
  const buckets = Math.ceil(offsets.length / PER_BUCKET);
  if (buckets <= 1) return offsets.sort();
  const bucketOf = (offset: number): number => Math.floor((offset / end) * buckets);
  const begins = new Uint32Array(buckets + 1);
  for (const offset of offsets) begins[bucketOf(offset) + 1] = (begins[bucketOf(offset) + 1] ?? 0) + 1;
  for (let bucket = 1; bucket <= buckets; bucket += 1) {
    begins[bucket] = (begins[bucket] ?? 0) + (begins[bucket - 1] ?? 0);
  }
  await nextTurn();
  const ordered = new Float64Array(offsets.length);
  const next = begins.slice();
  for (const offset of offsets) {
    const bucket = bucketOf(offset);
    const place = next[bucket] ?? 0;
    ordered[place] = offset;
    next[bucket] = place + 1;
  }
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    await nextTurn();
    ordered.subarray(begins[bucket], begins[bucket + 1]).sort();
  }
  return ordered;
}
