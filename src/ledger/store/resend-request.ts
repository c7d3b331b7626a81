import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PathName } from '../../domain/path-bytes.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { inParts } from '../commit-in-parts.ts';
import { readPlace } from '../journal/journal-reader.ts';
import { receiptLines } from '../journal/latest-lines.ts';
import { decodeReceipt } from '../journal/receipt-codec.ts';
import type { Ledger } from '../ledger.ts';
import type { VersionMark } from '../ledger-codec.ts';
import { markOf } from '../tables/intent-table.ts';

/** That what is recorded be sent once more. */
export interface ResendRequest {
  /** Of one path; null: of every path. */
  readonly name: PathName | null;
  /** Of every path, only those whose latest receipt is of this batch. Left out or null: whatever batch. */
  readonly batch?: string | null;
  /** Only what went to this destination. Left out or null: wherever it went. */
  readonly to?: string | null;
  /** Journal bytes when it was made. What is recorded behind them came after it: applying it twice sends once. */
  readonly mark: number;
}

/** A step of a request. */
export interface ResendPage {
  /** Versions that go once more because of it. */
  readonly versions: number;
  /** Journal byte to go on from; null: all of it is done. */
  readonly next: number | null;
}

/** Some 30,000 receipts: a page is done within seconds, however large the journal. */
const PAGE_BYTES = 24 * 1024 * 1024;

/**
 * Writes a request into the ledger, or the next page of one that is for many paths. For the source's owner only.
 * @param from `next` of the page before; 0 to begin
 * @throws SlipwayError `disk_full`, `ledger_unwritable`
 */
export async function applyResend(
  request: ResendRequest,
  ledger: Ledger,
  journal: string,
  from: number,
): Promise<ResendPage> {
  return request.name === null
    ? await applyToMany(request, ledger, journal, from)
    : await applyToOne(request, request.name, ledger, journal);
}

async function applyToOne(
  request: ResendRequest,
  name: PathName,
  ledger: Ledger,
  journal: string,
): Promise<ResendPage> {
  const recorded = ledger.findPath(name);
  const line =
    recorded === null || recorded.offset >= request.mark ? null : await readPlace(journal, recorded);
  const receipt = line === null ? null : decodeReceipt(line.toString('utf8'));
  const versions = receipt !== null && isMeant(receipt, request) ? ledger.sendAgain([markOf(receipt)]) : 0;
  return { versions, next: null };
}

function isMeant(receipt: Receipt, { batch = null, to = null }: ResendRequest): boolean {
  return (batch === null || receipt.batch === batch) && (to === null || receipt.destination === to);
}

async function applyToMany(
  request: ResendRequest,
  ledger: Ledger,
  journal: string,
  from: number,
): Promise<ResendPage> {
  const { marks, next } = await marksOf(request, ledger, journal, from);
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
  request: ResendRequest,
  ledger: Ledger,
  journal: string,
  from: number,
): Promise<{ marks: VersionMark[]; next: number | null }> {
  const frozen = ledger.frozen();
  const marks: VersionMark[] = [];
  try {
    for await (const lines of receiptLines(journal, { from, to: Math.min(request.mark, frozen.mark) })) {
      for (const { line, receipt } of lines)
        if (isMeant(receipt, request) && frozen.isLatest(receipt, line.offset)) marks.push(markOf(receipt));
      const last = lines.at(-1)?.line;
      const end = last === undefined ? from : last.offset + last.length + 1;
      if (end - from >= PAGE_BYTES) return { marks, next: end };
    }
  } finally {
    frozen.close();
  }
  return { marks, next: null };
}
