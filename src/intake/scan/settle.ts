import type { Arrival } from '../../domain/lane.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { SeenTimes } from '../../domain/sight.ts';
import { createDueHeap } from '../../platform/waiting/due-heap.ts';
import { GARBLED } from '../watch/hinted-folders.ts';
import { keyOf, type SeenFile } from './seen-file.ts';

export interface SettleOptions {
  readonly settleMs: number;
  /** A file is whole no sooner than this after its last change; 0 when left out. */
  readonly minAgeMs?: number;
  /**
   * Whether mtime and ctime are from this machine's clock. False on network file systems, where a file is always
   * seen twice before it counts as settled.
   */
  readonly trustTimes: () => boolean;
  /** Files watched at once; past it the scan waits, and the folder itself is the queue (G3). */
  readonly maxTracked: number;
}

const MIN_PATIENCE_MS = 30_000;
const PATIENCE_IN_SETTLES = 10;

/** Files still being written when none has become whole for so long are not waited for by whoever has an end. */
export function patienceMsOf({
  settleMs,
  minAgeMs = 0,
}: Pick<SettleOptions, 'settleMs' | 'minAgeMs'>): number {
  // What is only too young becomes due within `minAge`: it is never given up.
  return Math.max(MIN_PATIENCE_MS, settleMs * PATIENCE_IN_SETTLES) + minAgeMs;
}

/** Wall clock to compare with file times; monotonic for waiting, so that a clock that is set back delays nothing. */
export interface Instant {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

interface Tracked {
  readonly name: PathName;
  readonly seq: number;
  /** When the version that it is now was first seen; milliseconds since the epoch. */
  seenAtMs: number;
  arrival: Arrival;
  last: SeenFile;
  dueMs: number;
  /** Whether the heap holds it. */
  queued: boolean;
  /** Something happened to it since it was given out to be looked at. */
  stirred: boolean;
}

/**
 * Which files are whole: size, mtime and ctime unchanged for `settle`. One rule for the backlog and for live files;
 * no timer per file, the caller asks for the earliest due time.
 */
export interface Settle {
  /**
   * Tells of one look at a file. null: it waits, and is tracked; that it has settled is said once per change.
   * @param arrival how it came to be looked at; what is tracked as live stays so
   */
  see(file: SeenFile, now: Instant, arrival?: Arrival): SeenTimes | null;
  /**
   * An event named this path. True: it is tracked, as live from now on, and will be looked at when it is due, which is
   * within `settle` and after this event; a file that is being written costs one look per `settle` and not one per write.
   */
  touch(path: string, nowMs: number): boolean;
  /** How a file that is tracked came; null of any other. */
  arrivalOf(name: PathName): Arrival | null;
  /**
   * It vanished, or cannot be looked at: the next scan decides. One that something happened to since that look was taken
   * is looked at once more: nobody else was told of it.
   */
  forget(name: PathName): void;
  /** Files to look at again now, at most `max`. Each must be answered by `see` or `forget`. */
  due(nowMs: number, max: number): PathName[];
  /** Monotonic time of the earliest due file; null when none waits. */
  nextDueMs(): number | null;
  hasRoom(): boolean;
  size(): number;
  /** Sequence number the next new file will get: those below it were first seen before now. */
  nextSeq(): number;
  /** Sequence number of the file that has waited longest; null when none waits. */
  oldestSeq(): number | null;
  /** Files first seen before the file that got this number, in that order. */
  below(seq: number): PathName[];
}

// Over 80 lines: eight questions to one table and its heap, which have to agree after each; none is longer than a dozen lines.
/** Nothing tracked yet. */
export function createSettle(options: SettleOptions): Settle {
  const { settleMs, minAgeMs = 0, trustTimes, maxTracked } = options;
  const wholeMs = Math.max(settleMs, minAgeMs);
  // Updated in place: insertion order is the order of first sight.
  const tracked = new Map<string, Tracked>();
  const heap = createDueHeap<Tracked>();
  let seq = 0;

  /** How long this look says to wait. A time in the future says nothing, so it waits the whole time. */
  function waitMs(file: SeenFile, wallMs: number): number {
    const ageMs = wallMs - Math.max(file.mtimeMs, file.ctimeMs);
    // Another machine's clock may shorten `minAge` by its error, never `settle`, which is counted from this look.
    if (!trustTimes()) return Math.max(settleMs, ageMs < 0 ? minAgeMs : minAgeMs - ageMs);
    return ageMs < 0 ? wholeMs : Math.max(0, wholeMs - ageMs);
  }

  function track(key: string, file: SeenFile, seenAtMs: number, dueMs: number, arrival: Arrival): void {
    let entry = tracked.get(key);
    if (entry === undefined) {
      const state = { queued: false, stirred: false };
      entry = { name: file.name, seq: seq++, seenAtMs, arrival, last: file, dueMs, ...state };
      tracked.set(key, entry);
    }
    entry.seenAtMs = seenAtMs;
    entry.last = file;
    if (arrival === 'live') entry.arrival = arrival;
    entry.dueMs = dueMs;
    enqueue(entry);
  }

  /** What is already in the heap comes up too early at worst, and is put back then: one item per file, ever. */
  function enqueue(entry: Tracked): void {
    if (!entry.queued) heap.push(entry, entry.dueMs);
    entry.queued = true;
  }

  return {
    see(file, now, arrival = 'backlog') {
      const key = keyOf(file.name);
      const entry = tracked.get(key);
      const known = entry !== undefined && sameVersion(entry.last, file);
      const seenAtMs = known ? entry.seenAtMs : now.wallMs;
      const unchanged = known && entry.last.ctimeMs === file.ctimeMs;
      const dueMs = unchanged ? entry.dueMs : now.monotonicMs + waitMs(file, now.wallMs);
      // What happened after this look was taken, it does not show: another one decides.
      if (dueMs <= now.monotonicMs && entry?.stirred !== true) {
        tracked.delete(key);
        return { seenAtMs, settledAtMs: now.wallMs };
      }
      track(key, file, seenAtMs, dueMs, arrival);
      return null;
    },

    touch(path, nowMs) {
      const entry = trustTimes() ? tracked.get(keyOf({ path })) : undefined;
      if (entry === undefined) return false;
      entry.arrival = 'live';
      // A file that is deleted while it waits for a long `minAge` is not to be waited for all that time; and an event
      // garbles a name that is not UTF-8 so that it may look like this one.
      if (entry.dueMs - nowMs > settleMs || path.includes(GARBLED)) return false;
      entry.stirred = true;
      return true;
    },

    arrivalOf: (name) => tracked.get(keyOf(name))?.arrival ?? null,
    forget(name) {
      const entry = tracked.get(keyOf(name));
      if (entry?.stirred === true) enqueue(entry);
      else tracked.delete(keyOf(name));
    },

    due(nowMs, max) {
      const names: PathName[] = [];
      while (names.length < max) {
        const entry = heap.pop(nowMs);
        if (entry === null) break;
        if (tracked.get(keyOf(entry.name)) !== entry) continue;
        if (entry.dueMs > nowMs) {
          heap.push(entry, entry.dueMs);
          continue;
        }
        entry.queued = false;
        entry.stirred = false;
        names.push(entry.name);
      }
      return names;
    },

    nextDueMs: () => heap.nextMs(),
    hasRoom: () => tracked.size < maxTracked,
    size: () => tracked.size,
    nextSeq: () => seq,
    oldestSeq: () => tracked.values().next().value?.seq ?? null,
    below: (bound) => namesBelow(tracked.values(), bound),
  };
}

function namesBelow(tracked: Iterable<Tracked>, bound: number): PathName[] {
  const names: PathName[] = [];
  for (const { name, seq } of tracked) {
    if (seq >= bound) break;
    names.push(name);
  }
  return names;
}

function sameVersion(a: SeenFile, b: SeenFile): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs;
}
