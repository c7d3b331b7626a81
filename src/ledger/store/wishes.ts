import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { writeAtomic } from '../../platform/files/atomic-file.ts';
import { inParts } from '../commit-in-parts.ts';
import { readPlace } from '../journal/journal-reader.ts';
import { receiptLines } from '../journal/latest-lines.ts';
import { decodeReceipt } from '../journal/receipt-codec.ts';
import { syncedFolder } from '../journal/synced-folder.ts';
import type { Ledger } from '../ledger.ts';
import type { VersionMark } from '../ledger-codec.ts';
import { markOf } from '../tables/intent-table.ts';
import { sourceFolder } from './data-dir.ts';

/** That what is recorded be sent once more. It is a file until the owner has it in the ledger. */
export interface Wish {
  readonly v: 1;
  /** Of one path; null: of every path. */
  readonly name: PathName | null;
  /** Of every path, only those whose latest receipt is of this batch. Left out or null: whatever batch. */
  readonly batch?: string | null;
  /** Only what went to this destination. Left out or null: wherever it went. */
  readonly to?: string | null;
  /** Journal bytes when it was made. What is recorded behind them came after it: granting it twice sends once. */
  readonly mark: number;
}

/** A step of the granting of a wish. */
export interface GrantedPage {
  /** Versions that go once more because of it. */
  readonly versions: number;
  /** Journal byte to go on from; null: all of it is granted. */
  readonly next: number | null;
}

/** Some 30,000 receipts: a page is done within seconds, however large the journal. */
const PAGE_BYTES = 24 * 1024 * 1024;

/** Leaves a wish for the owner, running or next; durable when this returns. */
export async function leaveWish(dataDir: string, source: string, wish: Wish): Promise<void> {
  const folder = wishFolder(dataDir, source);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const name = `${Date.now()}-${randomBytes(4).toString('hex')}.json`;
  await writeAtomic(join(folder, name), `${JSON.stringify(wish)}\n`, { mode: 0o600 });
}

/**
 * Writes the wishes that were left into the ledger, then removes them; a crash between the two grants them again to the
 * same effect. For the source's owner only.
 * @param options.journal path of the journal
 * @returns how many versions are to go once more
 * @throws SlipwayError `disk_full`, `ledger_unwritable`
 */
export async function grantWishes(options: {
  readonly dataDir: string;
  readonly source: string;
  readonly ledger: Ledger;
  readonly journal: string;
  readonly log: Log;
}): Promise<number> {
  const { ledger, journal, log } = options;
  const folder = wishFolder(options.dataDir, options.source);
  const names = await readdir(folder).catch(() => []);
  let granted = 0;
  for (const name of names.filter((entry) => /^\d.*\.json$/.test(entry)).sort()) {
    const wish = await readWish(join(folder, name), log);
    if (wish !== null) granted += await grantWhole(wish, ledger, journal);
    await rm(join(folder, name), { force: true });
  }
  if (names.length > 0) await syncedFolder(folder);
  return granted;
}

async function grantWhole(wish: Wish, ledger: Ledger, journal: string): Promise<number> {
  let granted = 0;
  for (let from: number | null = 0; from !== null; ) {
    const page: GrantedPage = await grantWish(wish, ledger, journal, from);
    granted += page.versions;
    from = page.next;
  }
  return granted;
}

/**
 * Writes a wish into the ledger, or the next page of one that is for many paths. For the source's owner only.
 * @param from `next` of the page before; 0 to begin
 */
export async function grantWish(
  wish: Wish,
  ledger: Ledger,
  journal: string,
  from: number,
): Promise<GrantedPage> {
  return wish.name === null
    ? await grantMany(wish, ledger, journal, from)
    : await grantOne(wish, wish.name, ledger, journal);
}

async function grantOne(wish: Wish, name: PathName, ledger: Ledger, journal: string): Promise<GrantedPage> {
  const recorded = ledger.findPath(name);
  const line = recorded === null || recorded.offset >= wish.mark ? null : await readPlace(journal, recorded);
  const receipt = line === null ? null : decodeReceipt(line.toString('utf8'));
  const versions = receipt !== null && isMeant(receipt, wish) ? ledger.sendAgain([markOf(receipt)]) : 0;
  return { versions, next: null };
}

function isMeant(receipt: Receipt, { batch = null, to = null }: Wish): boolean {
  return (batch === null || receipt.batch === batch) && (to === null || receipt.destination === to);
}

async function grantMany(wish: Wish, ledger: Ledger, journal: string, from: number): Promise<GrantedPage> {
  const { marks, next } = await marksOf(wish, ledger, journal, from);
  let versions = 0;
  for (const range of inKeyRanges(marks)) {
    versions += await inParts(range, (part) => ledger.sendAgain(part));
    await nextTurn();
  }
  return { versions, next };
}

/**
 * In the order of the ledger's keys: a transaction then writes few of its pages, and takes that much less long. Range
 * by range, since sorting a page of them at once would hold up the event loop.
 */
function* inKeyRanges(marks: readonly VersionMark[]): Generator<VersionMark[]> {
  const ranges = Array.from({ length: 256 }, (): VersionMark[] => []);
  for (const mark of marks) ranges[mark.key[0] ?? 0]?.push(mark);
  for (const range of ranges) if (range.length > 0) yield range.sort((a, b) => Buffer.compare(a.key, b.key));
}

async function marksOf(
  wish: Wish,
  ledger: Ledger,
  journal: string,
  from: number,
): Promise<{ marks: VersionMark[]; next: number | null }> {
  const frozen = ledger.frozen();
  const marks: VersionMark[] = [];
  try {
    for await (const lines of receiptLines(journal, { from, to: Math.min(wish.mark, frozen.mark) })) {
      for (const { line, receipt } of lines)
        if (isMeant(receipt, wish) && frozen.isLatest(receipt, line.offset)) marks.push(markOf(receipt));
      const last = lines.at(-1)?.line;
      const end = last === undefined ? from : last.offset + last.length + 1;
      if (end - from >= PAGE_BYTES) return { marks, next: end };
    }
  } finally {
    frozen.close();
  }
  return { marks, next: null };
}

async function readWish(path: string, log: Log): Promise<Wish | null> {
  try {
    const wish = JSON.parse(await readFile(path, 'utf8')) as Partial<Wish> | null;
    if (wish?.v === 1 && typeof wish.mark === 'number' && wish.name !== undefined) return wish as Wish;
    throw new Error('it is of another version');
  } catch (error) {
    log.error({ path, reason: reasonOf(error) }, 'a wish to send again cannot be read and is dropped');
    return null;
  }
}

function wishFolder(dataDir: string, source: string): string {
  return join(sourceFolder(dataDir, source), 'wishes');
}
