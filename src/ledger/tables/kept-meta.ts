import type { FileMeta } from '../../domain/file-meta.ts';
import type { Outcome } from '../../domain/receipt.ts';
import type { Ledger } from '../ledger-port.ts';

/**
 * What is attached to files between their admission and their receipt: in the ledger, by file version, since neither
 * the job nor Redis carries it. Once the receipt has it, it is forgotten here.
 */
export interface KeptMeta {
  /** One durable transaction; to be called before the jobs are queued. */
  keep(attached: readonly { readonly id: string; readonly meta: FileMeta }[]): void;
  /** The outcome with what is attached to its file. */
  finish(outcome: Outcome): Outcome;
}

/** To be opened before the recorder starts, so that it hears of every commit. */
export function openKeptMeta(ledger: Ledger): KeptMeta {
  const table = ledger.table<FileMeta, string>('file-meta');
  if (table === null) throw new Error('the ledger is open for reading only');
  // Most sources attach nothing: then no receipt pays for a look.
  let any = table.getCount() > 0;

  ledger.alongside(({ id }) => {
    if (any) table.removeSync(id);
  });

  return {
    keep(attached) {
      if (attached.length === 0) return;
      any = true;
      ledger.transact(() => {
        for (const { id, meta } of attached) table.putSync(id, meta);
      });
    },
    finish(outcome) {
      const meta = any ? table.get(outcome.id) : undefined;
      return meta === undefined ? outcome : { ...outcome, meta };
    },
  };
}
