import type { Database } from 'lmdb';
import type { Intent } from '../intent.ts';
import { genOf, markedAgain, type VersionMark, versionKey } from '../ledger-codec.ts';

export interface StoredIntent {
  /** Ascending in the order of the commits; never used again. */
  readonly key: number;
  readonly intent: Intent;
  /** It was about to be done: if neither the file nor its aside name is there now, it has been. */
  readonly acting: boolean;
}

/** How one intent ended. */
export interface IntentEnd {
  readonly key: number;
  /** The file was taken away: should the same version lie there again, it goes once more. */
  readonly acted: VersionMark | null;
  /** What is still to be done in its place; left out: nothing. */
  readonly rest?: Intent | undefined;
}

/** Intents that are not ended, in the ledger's environment. Every change is one durable transaction. */
export interface IntentTable {
  /** The oldest with a key above `after`. */
  take(after: number, limit: number): StoredIntent[];
  count(): number;
  markActing(intents: readonly StoredIntent[]): void;
  end(ends: readonly IntentEnd[]): void;
  /** Takes over what another ledger holds. */
  restore(intents: readonly StoredIntent[]): void;
}

export interface IntentDatabases {
  readonly intents: Database<Omit<StoredIntent, 'key'>, number> | null;
  readonly receipts: Database<Buffer, Uint8Array>;
  readonly meta: Database<unknown, string>;
  /** Runs one durable transaction. */
  readonly transact: <T>(work: () => T) => T;
}

const NEXT_KEY = 'nextIntent';

/** @returns the table, and how a commit adds to it inside its own transaction */
export function openIntentTable(databases: IntentDatabases): IntentTable & { add(intent: Intent): void } {
  const { receipts, meta, transact } = databases;
  const table = databases.intents;

  function put(value: Omit<StoredIntent, 'key'>): void {
    // Counted for ever: a key used twice would be passed over by whoever reads in order.
    const key = Number(meta.get(NEXT_KEY) ?? 1);
    table?.putSync(key, value);
    meta.putSync(NEXT_KEY, key + 1);
  }

  return {
    add: (intent) => put({ intent, acting: false }),

    take(after, limit) {
      const found: StoredIntent[] = [];
      for (const { key, value } of table?.getRange({ start: after + 1, limit }) ?? [])
        found.push({ ...value, key });
      return found;
    },

    count: () => table?.getCount() ?? 0,

    markActing(batch) {
      transact(() => {
        for (const { key, intent } of batch) table?.putSync(key, { intent, acting: true });
      });
    },

    end(ends) {
      transact(() => {
        for (const { key, acted, rest } of ends) {
          // Under its old key: whoever reads in order has passed it, and comes back to it only when he begins again.
          if (rest === undefined) table?.removeSync(key);
          else table?.putSync(key, { intent: rest, acting: false });
          if (acted !== null) markAgain(receipts, acted);
        }
      });
    },

    restore(batch) {
      transact(() => {
        for (const { intent, acting } of batch) put({ intent, acting });
      });
    },
  };
}

/** Inside a transaction. @returns whether that generation is still the newest */
export function markAgain(receipts: Database<Buffer, Uint8Array>, { key, gen }: VersionMark): boolean {
  const bytes = receipts.get(key);
  if (bytes === undefined || genOf(bytes) !== gen) return false;
  receipts.putSync(key, markedAgain(bytes));
  return true;
}

/** The mark of an intent's version. */
export function markOf({ id, gen }: Pick<Intent, 'id' | 'gen'>): VersionMark {
  return { key: versionKey(id), gen };
}
