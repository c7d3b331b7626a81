import type { Ledger } from '../ledger-port.ts';

/** An answer that a repetition of its request is given again. */
export interface KeptAnswer {
  /** Tells one request from another under the same key. */
  readonly fingerprint: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** Answers by the key that the caller gave (Idempotency-Key), for a day. */
export interface KeptAnswers {
  get(key: readonly string[], nowMs: number): KeptAnswer | null;
  /** Durable when it returns. */
  put(key: readonly string[], answer: KeptAnswer): void;
  /** The same, inside a transaction of somebody else. */
  write(key: readonly string[], answer: KeptAnswer): void;
  /** Forgets what is over. */
  prune(nowMs: number): void;
}

const KEPT_MS = 24 * 60 * 60 * 1_000;
const PER_TRANSACTION = 1_000;

export function openKeptAnswers(ledger: Ledger): KeptAnswers {
  const table = ledger.table<KeptAnswer, string[]>('kept-answers');
  const isOver = ({ atMs }: KeptAnswer, nowMs: number): boolean => nowMs - atMs >= KEPT_MS;
  const write = (key: readonly string[], answer: KeptAnswer): void => void table?.putSync([...key], answer);
  return {
    write,
    get(key, nowMs) {
      const kept = table?.get([...key]);
      return kept === undefined || isOver(kept, nowMs) ? null : kept;
    },
    put: (key, answer) => ledger.transact(() => write(key, answer)),
    prune(nowMs) {
      const over = [...(table?.getRange({}) ?? [])].filter(({ value }) => isOver(value, nowMs));
      for (let start = 0; start < over.length; start += PER_TRANSACTION) {
        const some = over.slice(start, start + PER_TRANSACTION);
        ledger.transact(() => {
          for (const { key } of some) table?.removeSync(key);
        });
      }
    },
  };
}
