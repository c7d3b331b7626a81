import type { LinePlace } from '../journal/journal-reader.ts';
import { receiptLines } from '../journal/latest-lines.ts';
import type { Ledger } from '../ledger-port.ts';
import { openCursors } from './cursors.ts';

/** Where the receipts of files lie that came in by name of an id (`file-…/name`) instead of from a folder. */
export interface ReceivedIndex {
  /** Of one file; null: none is recorded. */
  find(id: string): LinePlace | null;
  /** Those of one destination, newest or oldest first, beginning behind one of them. */
  list(destination: string, order: 'asc' | 'desc', after: LinePlace | null): Iterable<LinePlace>;
  /** The file that was last uploaded with these bytes (hex) under this name; null: none is known. */
  sameContent(destination: string, sha256: string, name: string): string | null;
}

/** Name of the cursor: journal bytes that are in the index. */
const CURSOR = 'received';
const PER_TRANSACTION = 1_000;
const ID = /^(file-[0-9a-f]{32})\/(.*)$/s;

type Key = readonly (string | number)[];

interface IndexedFile {
  readonly path: string;
  readonly destination: string;
  readonly status: string;
  readonly sha256: string | null;
}

/**
 * Brings the index up to the journal, then keeps it with every commit.
 * @param journal path of the journal
 */
export async function openReceivedIndex(ledger: Ledger, journal: string): Promise<ReceivedIndex> {
  const table = ledger.table<unknown, (string | number)[]>('received');
  const cursors = openCursors(ledger);
  const write = (key: Key, value: unknown): void => void table?.putSync([...key], value);

  function put(file: IndexedFile, { offset, length }: LinePlace): void {
    cursors?.put(CURSOR, offset + length + 1);
    const [, id, name] = ID.exec(file.path) ?? [];
    if (id === undefined || name === undefined) return;
    const before = table?.get(['id', id]) as LinePlace | undefined;
    // A later generation takes the place of the one before.
    if (before !== undefined) table?.removeSync(['at', file.destination, before.offset]);
    write(['id', id], { offset, length });
    write(['at', file.destination, offset], { offset, length });
    if (file.status === 'uploaded' && file.sha256 !== null) {
      write(['content', file.destination, file.sha256, name.slice(0, 255)], id);
    }
  }

  const from = Number(cursors?.get(CURSOR) ?? 0);
  const to = ledger.mark();
  if (from < to) {
    for await (const lines of receiptLines(journal, { from, to })) {
      for (let start = 0; start < lines.length; start += PER_TRANSACTION) {
        const some = lines.slice(start, start + PER_TRANSACTION);
        ledger.transact(() => {
          for (const { receipt, line } of some) put(receipt, line);
        });
      }
    }
  }
  ledger.alongside((entry) => put({ ...entry, path: entry.name.path }, entry));

  return {
    find: (id) => (table?.get(['id', id]) as LinePlace | undefined) ?? null,
    sameContent: (destination, sha256, name) =>
      (table?.get(['content', destination, sha256, name.slice(0, 255)]) as string | undefined) ?? null,
    *list(destination, order, after) {
      const first = ['at', destination, 0];
      const last = ['at', destination, Number.MAX_SAFE_INTEGER];
      const start = after === null ? (order === 'asc' ? first : last) : ['at', destination, after.offset];
      const range =
        order === 'asc' ? { start, end: last } : { start, end: first, reverse: true, inclusiveEnd: true };
      for (const { value } of table?.getRange({ ...range, exclusiveStart: after !== null }) ?? []) {
        yield value as LinePlace;
      }
    },
  };
}
