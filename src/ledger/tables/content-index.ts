import { hash } from 'node:crypto';
import type { Log } from '../../domain/log.ts';
import { receiptLines } from '../journal/latest-lines.ts';
import { versionKey } from '../ledger-codec.ts';
import type { Ledger } from '../ledger-port.ts';
import { openCursors } from './cursors.ts';

/** Which version was uploaded with which bytes to which destination (`dedupe: content`). */
export interface ContentIndex {
  /** A version that was uploaded with these bytes (hex); null: none is known. A hint: its receipt has to be read. */
  find(sha256: string, destination: string): string | null;
}

/** Name of the cursor: journal bytes whose uploads are in the index. */
export const CONTENTS_CURSOR = 'contents';

const VERSION_BYTES = 16;
const PER_TRANSACTION = 1_000;

/**
 * Brings the index up to the journal, all of it where `dedupe` is new, then keeps it with every commit.
 * @param options.journal path of the journal
 */
export async function openContentIndex(options: {
  readonly ledger: Ledger;
  readonly journal: string;
  readonly log: Log;
}): Promise<ContentIndex> {
  const { ledger, journal, log } = options;
  const table = ledger.table<Buffer, Uint8Array>('contents');
  const cursors = openCursors(ledger);

  function put(entry: ContentEntry, endsAt: number): void {
    const version = versionKey(entry.id);
    if (entry.status === 'uploaded' && entry.sha256 !== null && version.length === VERSION_BYTES)
      table?.putSync(keyOf(entry.sha256, entry.destination), version);
    cursors?.put(CONTENTS_CURSOR, endsAt);
  }

  const from = Number(cursors?.get(CONTENTS_CURSOR) ?? 0);
  const to = ledger.mark();
  if (from < to) {
    log.info({ journal, bytes: to - from }, 'reading what is recorded, to know its contents again');
    for await (const lines of receiptLines(journal, { from, to })) {
      for (let start = 0; start < lines.length; start += PER_TRANSACTION) {
        const some = lines.slice(start, start + PER_TRANSACTION);
        ledger.transact(() => {
          for (const { receipt, line } of some) put(receipt, line.offset + line.length + 1);
        });
      }
    }
  }
  ledger.alongside((entry) => put(entry, entry.offset + entry.length + 1));

  return {
    find(sha256, destination) {
      const version = table?.get(keyOf(sha256, destination));
      return version === undefined ? null : `f${version.toString('hex')}`;
    },
  };
}

interface ContentEntry {
  readonly id: string;
  readonly status: string;
  readonly sha256: string | null;
  readonly destination: string;
}

function keyOf(sha256: string, destination: string): Buffer {
  return hash('sha256', `${sha256}\0${destination}`, 'buffer').subarray(0, 20);
}
