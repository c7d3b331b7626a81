import type { Ledger } from '../ledger-port.ts';

/** What is durable of how far something has come, one small value per name. */
export interface Cursors {
  get(name: string): unknown;
  /** Inside `ledger.transact`, or inside a commit. */
  put(name: string, value: unknown): void;
}

/** @returns null: a reader, of a ledger without any */
export function openCursors(ledger: Ledger): Cursors | null {
  const table = ledger.table<unknown, string>('cursors');
  if (table === null) return null;
  return {
    get: (name) => table.get(name),
    put: (name, value) => table.putSync(name, value),
  };
}
