import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BatchCounts } from '../../domain/batch.ts';
import type { LeftOut } from '../../domain/left-out.ts';
import type { ReceiptStatus } from '../../domain/receipt.ts';
import { journalPathOf, type ManifestJournal } from '../../ledger/journal/manifest-journal.ts';
import type { Ledger } from '../../ledger/ledger-port.ts';
import { ascending } from '../../ledger/offset-order.ts';
import { type BatchTables, idInMember, membersOf } from '../../ledger/tables/batch-tables.ts';
import { writeAtomic } from '../../platform/files/atomic-file.ts';
import { MAX_LISTED_FILES } from '../manifest/snapshot-policy.ts';

/** A page of members takes a few milliseconds; the event loop turns between two. */
const PER_PAGE = 1_000;
const CHUNK_BYTES = 64 * 1024;
const COMMA = Buffer.from(',\n');
const NEWLINE = Buffer.from('\n');

interface Content {
  readonly counts: BatchCounts;
  /** Where the receipts of its members begin in the journal, ascending. */
  readonly offsets: Float64Array;
  /** Members whose receipts are kept no more. */
  readonly dropped: number;
}

/**
 * Writes what came of a batch, durably: `x.manifest.jsonl` with one receipt a line, then `x.manifest.json` with counts
 * and, up to 100,000 of them, the files (contract §9). 8 bytes a member are held in memory.
 * @param facts.number of the batch in its tables; every member has its receipt
 * @returns its counts, how many members' receipts a compaction has dropped, and the hex sha256 of `x.manifest.json`
 */
export async function writeBatchManifest(options: {
  readonly tables: BatchTables;
  readonly number: number;
  /** What the head of the manifest says besides, in this order. */
  readonly head: Readonly<Record<string, unknown>>;
  /** Behind the counts, where there are any. */
  readonly leftOut: readonly LeftOut[];
  readonly manifest: string;
  readonly ledger: Ledger;
  readonly journal: ManifestJournal;
}): Promise<{ readonly counts: BatchCounts; readonly dropped: number; readonly sha256: string }> {
  const { manifest, journal } = options;
  const content = await contentOf(options);
  const lines = journalPathOf(manifest);
  await mkdir(dirname(manifest), { recursive: true, mode: 0o700 });
  await writeAtomic(lines, joined(journal.pick(content.offsets), NEWLINE, true), { mode: 0o600 });
  const digest = createHash('sha256');
  const leftOut = options.leftOut.length === 0 ? {} : { leftOut: options.leftOut };
  const head = JSON.stringify({ ...options.head, counts: content.counts, ...leftOut }).slice(0, -1);
  const chunks =
    content.offsets.length > MAX_LISTED_FILES
      ? [`${head},"truncated":true,"journal":${JSON.stringify(lines)}}\n`]
      : listed(head, joined(journal.pick(content.offsets), COMMA, false));
  await writeAtomic(manifest, seenBy(chunks, digest), { mode: 0o600 });
  return { counts: content.counts, dropped: content.dropped, sha256: digest.digest('hex') };
}

async function contentOf(facts: {
  readonly tables: BatchTables;
  readonly number: number;
  readonly ledger: Ledger;
  readonly journal: ManifestJournal;
}): Promise<Content> {
  const { tables, ledger, journal } = facts;
  const { start, end } = membersOf(facts.number);
  const counts: Record<ReceiptStatus, number> = { uploaded: 0, failed: 0, skipped: 0 };
  let offsets = new Float64Array(PER_PAGE);
  let filled = 0;
  let dropped = 0;
  let after = start;
  for (let seen = PER_PAGE; seen === PER_PAGE; await nextTurn()) {
    seen = 0;
    const exclusiveStart = after !== start;
    for (const key of tables.members.getKeys({ start: after, exclusiveStart, end, limit: PER_PAGE })) {
      seen += 1;
      after = Buffer.from(key);
      const recorded = ledger.find(idInMember(key));
      // Every member has had its receipt; `manifest compact` has dropped this one for a later one of its path.
      if (recorded === null) {
        dropped += 1;
        continue;
      }
      counts[recorded.status] += 1;
      if (filled === offsets.length) offsets = grown(offsets);
      offsets[filled] = recorded.offset;
      filled += 1;
    }
  }
  const ordered = await ascending(offsets.subarray(0, filled), journal.size());
  return { counts: { discovered: filled, ...counts }, offsets: ordered, dropped };
}

function grown(offsets: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(offsets.length * 2);
  larger.set(offsets);
  return larger;
}

async function* listed(head: string, files: AsyncIterable<Buffer>): AsyncGenerator<string | Buffer> {
  yield `${head},"files":[\n`;
  yield* files;
  yield '\n]}\n';
}

/** Lines in chunks of a size that is worth a system call. */
async function* joined(
  lines: AsyncIterable<Buffer>,
  separator: Buffer,
  endsWithOne: boolean,
): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let bytes = 0;
  let first = true;
  for await (const line of lines) {
    if (!first) parts.push(separator);
    first = false;
    // A copy: the reader uses its buffer again.
    parts.push(Buffer.from(line));
    bytes += line.length;
    if (bytes < CHUNK_BYTES) continue;
    yield Buffer.concat(parts);
    parts = [];
    bytes = 0;
  }
  if (endsWithOne && !first) parts.push(separator);
  yield Buffer.concat(parts);
}

async function* seenBy(
  chunks: Iterable<string | Buffer> | AsyncIterable<string | Buffer>,
  digest: ReturnType<typeof createHash>,
): AsyncGenerator<string | Buffer> {
  for await (const chunk of chunks) {
    digest.update(chunk);
    yield chunk;
  }
}
