import { open } from 'node:fs/promises';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { fileVersionId } from '../../domain/file-version.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { commitInParts } from '../commit-in-parts.ts';
import type { IntentOf } from '../intent.ts';
import { replayJournal } from '../journal/journal-replay.ts';
import { receiptLines } from '../journal/latest-lines.ts';
import type { ManifestJournal } from '../journal/manifest-journal.ts';
import { decodeReceipt, encodeReceipt } from '../journal/receipt-codec.ts';
import type { Ledger } from '../ledger.ts';
import { ledgerEntryOf } from '../ledger-entry.ts';
import { openSourceStore, type StorePlace } from '../store/source-store.ts';
import { keepFirstPassAhead } from '../tables/first-pass.ts';
import { openOutbox } from '../tables/outbox-store.ts';

export interface ImportResult {
  readonly added: number;
  /** (id, gen) that were recorded here already. */
  readonly known: number;
}

/** As many as one recorded batch: one write, one fsync. */
const PER_COMMIT = 500;

/**
 * Adds the receipts of another machine's journal to a source, as its owner for that time. What is recorded here already
 * is passed over, so that a repeated or interrupted import does no harm. Nothing is moved or deleted for them (G4).
 * @param options.from name of the source in that journal; where it is another one, the receipts are made out anew
 * @throws SlipwayError `source_owned` while a process works on the source, `journal_corrupt` for a line that is no receipt
 */
export async function importReceipts(
  options: StorePlace & {
    readonly file: string;
    readonly from: string;
    readonly intentOf?: IntentOf | undefined;
  },
): Promise<ImportResult> {
  const { file, from, source, log, intentOf } = options;
  const store = await openSourceStore(options);
  const { ledger, journal } = store;
  let added = 0;
  let known = 0;
  try {
    await replayJournal({ journal, ledger, log, intentOf });
    keepFirstPassAhead(ledger);
    for await (const receipts of receiptsIn(file)) {
      const theirs = receipts.filter((receipt) => receipt.source === from);
      const ours = from === source ? theirs : theirs.map((receipt) => madeOutFor(source, receipt));
      const fresh = unknownOf(ours, ledger);
      known += ours.length - fresh.length;
      added += fresh.length;
      for (let start = 0; start < fresh.length; start += PER_COMMIT) {
        await keep(fresh.slice(start, start + PER_COMMIT), ledger, journal);
      }
    }
    return { added, known };
  } finally {
    await store.close();
  }
}

/** Names of the sources in a journal. Throws SlipwayError `journal_corrupt`, `usage` when it cannot be read. */
export async function sourcesIn(file: string): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const receipts of receiptsIn(file)) for (const { source } of receipts) names.add(source);
  return names;
}

/** The id of a file version holds the name of its source. */
function madeOutFor(source: string, receipt: Receipt): Receipt {
  const { path, pathBytes, destination, bytes, mtimeNs } = receipt;
  const name = pathBytes === undefined ? { path } : { path, pathBytes };
  const id = fileVersionId({ source, destination, ...name, size: bytes, mtimeNs });
  return { ...receipt, source, id };
}

function unknownOf(receipts: readonly Receipt[], ledger: Ledger): Receipt[] {
  const newest = new Map<string, number>();
  return receipts.filter(({ id, gen }) => {
    if (gen <= (newest.get(id) ?? ledger.find(id)?.gen ?? -1)) return false;
    newest.set(id, gen);
    return true;
  });
}

async function keep(receipts: readonly Receipt[], ledger: Ledger, journal: ManifestJournal): Promise<void> {
  const before = journal.size();
  const quota = await journal.append(receipts.map(encodeReceipt));
  const entries = receipts.flatMap((receipt, index) => {
    const place = quota[index];
    return place === undefined ? [] : [ledgerEntryOf(receipt, place)];
  });
  await commitInParts(ledger, entries, journal.size());
  passOver(before, ledger, journal.size());
}

/** What was recorded elsewhere is no news to the webhook endpoints here, unless they are behind as it is. */
function passOver(before: number, ledger: Ledger, after: number): void {
  const outbox = openOutbox(ledger);
  for (const name of outbox?.endpoints() ?? []) {
    const state = outbox?.state(name);
    if (state?.cursor !== before) continue;
    ledger.transact(() => outbox?.putState(name, { ...state, cursor: after }));
  }
}

async function* receiptsIn(path: string): AsyncGenerator<Receipt[]> {
  const { size, rest } = await sizeAndRest(path);
  for await (const lines of receiptLines(path, { from: 0, to: size })) {
    yield lines.map(({ receipt }) => receipt);
  }
  const last = rest === '' ? null : decodeReceipt(rest);
  // A journal copied while it was written ends in half a line; a file made by hand may lack the last newline.
  if (last !== null) yield [last];
}

async function sizeAndRest(path: string): Promise<{ size: number; rest: string }> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new SlipwayError('usage', { problem: `cannot read ${path}: ${reasonOf(error)}` });
  });
  try {
    const { size } = await file.stat();
    const tail = Buffer.alloc(Math.min(size, 64 * 1024));
    await file.read(tail, 0, tail.length, size - tail.length);
    return { size, rest: tail.subarray(tail.lastIndexOf('\n') + 1).toString('utf8') };
  } finally {
    await file.close();
  }
}
