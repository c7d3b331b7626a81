import type { DestinationBlocker } from '../domain/blocker.ts';

/**
 * G6: when 20 files in a row get the same refusal and none succeeds between them, it is the destination that is wrong, not
 * the files. So a refusal is held back instead of being recorded: the next success proves the destination (the held files
 * really are refused), the 20th equal refusal stops it (the held files keep their jobs), and when nothing else is left to
 * prove it either way the file is `alone` with its refusal.
 */
export type RefusalRuling = 'stands' | 'alone' | 'destination-wrong' | 'give-back';

/** Equal refusals in a row that condemn a destination. */
export const REFUSALS_TO_STOP = 20;

/** A worker needs a moment to fetch the next job: without it a refusal would stand before the next file was tried. */
const QUIET_MS = 500;

export interface UnprovenRefusals {
  /**
   * Waits for the ruling on a refusal with this code. The signal gives the job back.
   * @param isFilesOwn nothing but the file can be meant (413, 415): once a file was accepted it stands at once
   */
  rule(code: string, signal: AbortSignal, isFilesOwn?: boolean): Promise<RefusalRuling>;
  /** A file was accepted. */
  succeeded(): void;
  /** Held refusals, for the room they take in the worker. */
  held(): number;
  /** null: none is held. The others go on. */
  blocker(): DestinationBlocker | null;
  /** Ends every wait: the jobs go back. */
  close(): void;
}

/**
 * @param othersInHand jobs of this destination in this process that are not held here
 * @param now milliseconds since the epoch
 */
export function createUnprovenRefusals(othersInHand: () => number, now: () => number): UnprovenRefusals {
  const waiting = new Set<(ruling: RefusalRuling) => void>();
  let proven = false;
  let closed = false;
  let streak = { code: '', count: 0 };
  let heldSinceMs = 0;
  let quiet: NodeJS.Timeout | null = null;

  function settleAll(ruling: RefusalRuling): void {
    if (quiet !== null) clearTimeout(quiet);
    quiet = null;
    for (const settle of [...waiting]) settle(ruling);
    waiting.clear();
  }

  function watchForQuiet(): void {
    if (quiet !== null) return;
    quiet = setTimeout(() => {
      quiet = null;
      if (othersInHand() === 0) settleAll('alone');
      else if (waiting.size > 0) watchForQuiet();
    }, QUIET_MS);
  }

  return {
    rule(code, signal, isFilesOwn = false) {
      if (proven && isFilesOwn) return Promise.resolve('stands');
      if (closed || signal.aborted) return Promise.resolve('give-back');
      if (streak.code !== code) {
        // Two kinds of refusal speak of the files, not of the destination.
        settleAll('stands');
        streak = { code, count: 0 };
      }
      streak.count += 1;
      if (streak.count >= REFUSALS_TO_STOP) {
        settleAll('destination-wrong');
        return Promise.resolve('destination-wrong');
      }
      return new Promise((resolve) => {
        const settle = (ruling: RefusalRuling): void => {
          signal.removeEventListener('abort', onAbort);
          waiting.delete(settle);
          resolve(ruling);
        };
        const onAbort = (): void => settle('give-back');
        signal.addEventListener('abort', onAbort, { once: true });
        if (waiting.size === 0) heldSinceMs = now();
        waiting.add(settle);
        watchForQuiet();
      });
    },
    succeeded() {
      proven = true;
      if (streak.count > 0) streak = { code: '', count: 0 };
      if (waiting.size > 0) settleAll('stands');
    },
    held: () => waiting.size,
    blocker() {
      if (waiting.size === 0) return null;
      const files = `${waiting.size} ${waiting.size === 1 ? 'file was' : 'files were'}`;
      const message = `${files} refused and none was accepted since: their receipts wait until it shows whose fault that is`;
      return { reason: 'unproven', sinceMs: heldSinceMs, untilMs: null, message, passes: 'others' };
    },
    close() {
      closed = true;
      settleAll('give-back');
    },
  };
}
