import type { Database } from 'lmdb';
import {
  decodePathEntry,
  decodeRecorded,
  genOf,
  type KnownVersion,
  statusOf,
  type VersionMark,
} from '../ledger-codec.ts';

/** A path whose latest receipt is `failed` and that nobody has given up. */
export interface DeadLetter extends DeadVersion {
  readonly recorded: KnownVersion;
}

/** A version that failed, and the path it speaks for. */
export interface DeadVersion {
  /** Key of the path, see `pathKey`. */
  readonly place: Buffer;
  readonly version: VersionMark;
}

/** A step of a pass over the dead letters. */
export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[];
  /** Give it back for the next page; null after the last. */
  readonly next: Buffer | null;
}

/** The dead letters of a source, in the ledger's environment: few among many are found without a look at the many. */
export interface DeadLetterTable {
  count(): number;
  /** @param after `next` of the page before; null to begin. A page may hold none and yet not be the last. */
  page(after: Buffer | null, limit: number): DeadLetterPage;
  /**
   * One durable transaction: these versions are given up. They count as dead letters no more; their receipts stay.
   * @returns how many; one that is no dead letter (any more) is passed over
   * @throws SlipwayError `disk_full`, `ledger_unwritable`
   */
  discard(versions: readonly DeadVersion[]): number;
  /** What was given up, for a ledger that is built anew. @param after key of the last version before */
  discarded(after: Buffer | null, limit: number): DeadVersion[];
  /** Of a ledger that an older Slipway wrote: takes the next paths up. @returns false once all are known */
  catchUp(limit: number): boolean;
}

export interface DeadLetterDatabases {
  /** Key of a path → key of the version that failed. null: a reader of a ledger that an older Slipway wrote. */
  readonly failed: Database<Buffer, Uint8Array> | null;
  /** Key of a version → its generation, 4 bytes, and the key of its path. */
  readonly discarded: Database<Buffer, Uint8Array> | null;
  readonly receipts: Database<Buffer, Uint8Array>;
  readonly paths: Database<Buffer, Uint8Array>;
  readonly meta: Database<unknown, string>;
  /** Runs one durable transaction. */
  readonly transact: <T>(work: () => T) => T;
}

/** Where the taking up of an older ledger's paths stands, in hex; `done` once it is complete. */
const PROGRESS = 'failedIndex';
const DONE = 'done';

const GEN_BYTES = 4;

/** What a commit tells, inside its own transaction, of a path's latest receipt. */
export interface DeadLetterKeeper {
  /** A version that had failed speaks for its path no more. */
  replaced(place: Buffer, version: Buffer): void;
  failed(place: Buffer, version: Buffer): void;
}

/** Says of a ledger without receipts that nothing has to be taken up. Inside the transaction that makes it. */
export function beginDeadLetters(meta: Database<unknown, string>): void {
  meta.putSync(PROGRESS, DONE);
}

export function openDeadLetterTable(databases: DeadLetterDatabases): DeadLetterTable & DeadLetterKeeper {
  const { failed, discarded, transact } = databases;
  return {
    count() {
      if (isComplete(databases)) return failed?.getCount() ?? 0;
      let count = 0;
      let next: Buffer | null = null;
      do {
        const found: DeadLetterPage = letterPage(databases, next, 10_000);
        count += found.letters.length;
        next = found.next;
      } while (next !== null);
      return count;
    },

    page: (after, limit) => letterPage(databases, after, limit),

    discard: (versions) =>
      versions.length === 0
        ? 0
        : transact(() => versions.filter((version) => discardOne(databases, version)).length),

    discarded(after, limit) {
      const range = after === null ? { limit } : { start: after, exclusiveStart: true, limit };
      const found: DeadVersion[] = [];
      for (const { key, value } of discarded?.getRange(range) ?? []) {
        const version = { key: Buffer.from(key), gen: value.readUInt32BE(0) };
        found.push({ place: Buffer.from(value.subarray(GEN_BYTES)), version });
      }
      return found;
    },

    catchUp: (limit) => catchUp(databases, limit),

    replaced(place, version) {
      failed?.removeSync(place);
      discarded?.removeSync(version);
    },

    failed: (place, version) => void failed?.putSync(place, version),
  };
}

function isComplete({ failed, meta }: DeadLetterDatabases): boolean {
  return failed !== null && meta.get(PROGRESS) === DONE;
}

/** null: the version that speaks for this path is no dead letter. */
function letterAt({ paths, receipts, discarded }: DeadLetterDatabases, place: Buffer): DeadLetter | null {
  const last = paths.get(place);
  if (last === undefined) return null;
  const key = Buffer.from(decodePathEntry(last).version);
  const bytes = receipts.get(key);
  if (bytes === undefined || statusOf(bytes) !== 'failed') return null;
  const gen = genOf(bytes);
  if (discarded?.get(key)?.readUInt32BE(0) === gen) return null;
  return { place, version: { key, gen }, recorded: decodeRecorded(bytes) };
}

function letterPage(databases: DeadLetterDatabases, after: Buffer | null, limit: number): DeadLetterPage {
  const { failed, paths } = databases;
  const range = after === null ? { limit } : { start: after, exclusiveStart: true, limit };
  const letters: DeadLetter[] = [];
  let next: Buffer | null = null;
  let seen = 0;
  // An older ledger has no index yet: then every path is looked at.
  for (const key of (isComplete(databases) && failed !== null ? failed : paths).getKeys(range)) {
    seen += 1;
    next = Buffer.from(key);
    const letter = letterAt(databases, next);
    if (letter !== null) letters.push(letter);
  }
  return { letters, next: seen < limit ? null : next };
}

/** Inside a transaction. @returns false: another version, or another generation, speaks for the path by now */
function discardOne(databases: DeadLetterDatabases, { place, version }: DeadVersion): boolean {
  const letter = letterAt(databases, place);
  if (letter === null || letter.version.gen !== version.gen) return false;
  if (!letter.version.key.equals(version.key)) return false;
  databases.failed?.removeSync(place);
  databases.discarded?.putSync(version.key, discardMark(version.gen, place));
  return true;
}

function catchUp(databases: DeadLetterDatabases, limit: number): boolean {
  const { failed, paths, meta } = databases;
  const progress = meta.get(PROGRESS);
  if (progress === DONE || failed === null) return false;
  return databases.transact(() => {
    const start = typeof progress === 'string' ? Buffer.from(progress, 'hex') : null;
    const range = start === null ? { limit } : { start, exclusiveStart: true, limit };
    let last: Buffer | null = null;
    let seen = 0;
    for (const key of paths.getKeys(range)) {
      seen += 1;
      last = Buffer.from(key);
      const letter = letterAt(databases, last);
      if (letter !== null) failed.putSync(last, letter.version.key);
    }
    meta.putSync(PROGRESS, seen < limit || last === null ? DONE : last.toString('hex'));
    return seen === limit;
  });
}

function discardMark(gen: number, place: Buffer): Buffer {
  const mark = Buffer.alloc(GEN_BYTES + place.length);
  mark.writeUInt32BE(gen, 0);
  place.copy(mark, GEN_BYTES);
  return mark;
}
