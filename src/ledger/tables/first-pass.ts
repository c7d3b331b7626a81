import type { Ledger } from '../ledger-port.ts';
import { openCursors } from './cursors.ts';

/** The very first pass over a source's folder: which files lay there when it was started (`existing: skip`). */
export interface FirstPass {
  /** Epoch milliseconds of the first start, until all that lay there then is recorded or queued; null afterwards. */
  startedMs(): number | null;
  /** That it is. Durable when it returns. */
  complete(): void;
}

interface Stored {
  /** null: receipts came from elsewhere before the first start. */
  readonly startedMs: number | null;
  readonly done: boolean;
}

/** Name of the cursor. */
export const FIRST_PASS_CURSOR = 'first-pass';

/**
 * Begins the first pass, or goes on with one that a kill has ended early. With `existing: upload` there is none to be
 * made: what lies there is sent like everything else, and stays so if the option changes later.
 * @param nowMs since the epoch
 */
export function openFirstPass(ledger: Ledger, existing: 'upload' | 'skip', nowMs: number): FirstPass {
  const cursors = openCursors(ledger);
  const stored = cursors?.get(FIRST_PASS_CURSOR) as Stored | undefined;
  let now = begun(stored, ledger, existing, nowMs);
  if (stored?.startedMs !== now.startedMs || stored.done !== now.done) put(now);

  function put(value: Stored): void {
    ledger.transact(() => cursors?.put(FIRST_PASS_CURSOR, value));
  }

  return {
    startedMs: () => (now.done ? null : now.startedMs),
    complete() {
      now = { ...now, done: true };
      put(now);
    },
  };
}

function begun(
  stored: Stored | undefined,
  ledger: Ledger,
  existing: 'upload' | 'skip',
  nowMs: number,
): Stored {
  const startedMs = stored?.startedMs ?? nowMs;
  if (existing === 'upload') return { startedMs, done: true };
  // A ledger that was built from its journal alone: the start was long ago.
  if (stored === undefined) return { startedMs, done: hasReceipts(ledger) };
  return { startedMs, done: stored.done };
}

/** What a start would find, without beginning anything: for whoever only counts. @returns as `startedMs` */
export function firstPassOf(ledger: Ledger | null, nowMs: number): number | null {
  if (ledger === null) return nowMs;
  const stored = openCursors(ledger)?.get(FIRST_PASS_CURSOR) as Stored | undefined;
  if (stored === undefined) return hasReceipts(ledger) ? null : nowMs;
  return stored.done ? null : (stored.startedMs ?? nowMs);
}

/** Before receipts from elsewhere are added to a ledger that has never seen a start: that is still to come. */
export function keepFirstPassAhead(ledger: Ledger): void {
  const cursors = openCursors(ledger);
  if (cursors === null || cursors.get(FIRST_PASS_CURSOR) !== undefined || hasReceipts(ledger)) return;
  const ahead: Stored = { startedMs: null, done: false };
  ledger.transact(() => cursors.put(FIRST_PASS_CURSOR, ahead));
}

function hasReceipts(ledger: Ledger): boolean {
  const { uploaded, failed, skipped } = ledger.counts().total;
  return uploaded + failed + skipped > 0;
}
