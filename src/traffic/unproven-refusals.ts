import type { DestinationBlocker } from '../domain/blocker.ts';

/**
 * G6: when 20 files in a row get the same refusal and none succeeds between them, it is the destination that is wrong, not
 * the files. So a refusal is held back instead of being recorded until it is known whose fault it is:
 *
 * - an upload that **began after it** is accepted: the destination works, the file really is refused (`stands`). One that was
 *   under way already shows nothing: the server may have changed its mind in between.
 * - the 20th equal refusal in a row: the destination is wrong, the held files keep their jobs.
 * - refusals of several kinds in one row: they speak of the files, and stand.
 * - nothing else is left to prove it either way: where the same refusal stood for another file lately, it stands here too; else
 *   the file is `alone` with its refusal.
 */
export type RefusalRuling = 'stands' | 'alone' | 'destination-wrong' | 'give-back';

/** Equal refusals in a row that condemn a destination. */
export const REFUSALS_TO_STOP = 20;

/** So many of another kind in the row and it is not one wall that all run into; fewer are bad files that ran into it too. */
const OTHERS_TO_STAND = 3;

/** A worker needs a moment to fetch the next job: without it a refusal would stand before the next file was tried. */
const QUIET_MS = 500;

/** So long a refusal that stood is taken for one that files get here for themselves. */
const STOOD_MS = 10 * 60_000;

export interface UnprovenRefusals {
  /**
   * Waits for the ruling on a refusal with this code. The signal gives the job back.
   * @param isFilesOwn nothing but the file can be meant (413, 415): once a file was accepted it stands at once
   */
  rule(code: string, signal: AbortSignal, isFilesOwn?: boolean): Promise<RefusalRuling>;
  /** A file was accepted. @param startedAtMs when its upload began, milliseconds since the epoch */
  succeeded(startedAtMs: number): void;
  /** Whether an upload was accepted here that began at most so long ago, milliseconds. */
  provenWithin(agoMs: number): boolean;
  /** The destination is stopped for another reason: its jobs go back, whose fault the refusals were shows after that. */
  suspend(): void;
  /** Held refusals, for the room they take in the worker. */
  held(): number;
  /** null: none is held. The others go on. */
  blocker(): DestinationBlocker | null;
  /** Ends every wait: the jobs go back. */
  close(): void;
}

interface HeldRefusal {
  readonly code: string;
  readonly atMs: number;
  readonly settle: (ruling: RefusalRuling) => void;
}

// Over 80 lines: the row, the held refusals and the timer that rules on them are one state; each step is a few lines over it.
/**
 * @param othersInHand jobs of this destination in this process that are not held here
 * @param now milliseconds since the epoch
 */
export function createUnprovenRefusals(othersInHand: () => number, now: () => number): UnprovenRefusals {
  const waiting = new Set<HeldRefusal>();
  /** Refusals since the last success, by code. */
  const row = new Map<string, number>();
  /** When an upload that began after a refusal with this code was last accepted. */
  const stoodAtMs = new Map<string, number>();
  let provenSinceMs = Number.NEGATIVE_INFINITY;
  let closed = false;
  let quiet: NodeJS.Timeout | null = null;

  function settle(ruling: RefusalRuling, which: (held: HeldRefusal) => boolean = () => true): void {
    for (const held of [...waiting]) if (which(held)) held.settle(ruling);
    if (waiting.size > 0 || quiet === null) return;
    clearTimeout(quiet);
    quiet = null;
  }

  /** What was refused otherwise meanwhile has shown nothing, and is tried again. */
  function condemn(code: string): void {
    stoodAtMs.delete(code);
    settle('destination-wrong', (held) => held.code === code);
    settle('give-back');
  }

  function watchForQuiet(): void {
    if (quiet !== null) return;
    quiet = setTimeout(() => {
      quiet = null;
      if (othersInHand() > 0) {
        if (waiting.size > 0) watchForQuiet();
        return;
      }
      // No room is left for another file: that is not the same as having none.
      const many = [...row.keys()].find((code) => heldOf(code) >= REFUSALS_TO_STOP);
      if (many !== undefined) return condemn(many);
      settle('stands', ({ code }) => now() - (stoodAtMs.get(code) ?? Number.NEGATIVE_INFINITY) < STOOD_MS);
      settle('alone');
    }, QUIET_MS);
  }

  function heldOf(code: string): number {
    return [...waiting].filter((held) => held.code === code).length;
  }

  /** Adds to the row, and says what it shows by now. */
  function inARow(code: string): 'wrong' | 'mixed' | 'unclear' {
    row.set(code, (row.get(code) ?? 0) + 1);
    const counts = [...row.values()];
    const most = Math.max(...counts);
    const others = counts.reduce((sum, count) => sum + count, 0) - most;
    if (others >= OTHERS_TO_STAND) return 'mixed';
    return (row.get(code) ?? 0) >= REFUSALS_TO_STOP ? 'wrong' : 'unclear';
  }

  return {
    rule(code, signal, isFilesOwn = false) {
      if (isFilesOwn && provenSinceMs > Number.NEGATIVE_INFINITY) return Promise.resolve('stands');
      if (closed || signal.aborted) return Promise.resolve('give-back');
      const shown = inARow(code);
      if (shown === 'wrong') {
        condemn(code);
        return Promise.resolve('destination-wrong');
      }
      if (shown === 'mixed') {
        row.clear();
        settle('stands');
        return Promise.resolve('stands');
      }
      return new Promise((resolve) => {
        const onAbort = (): void => held.settle('give-back');
        const held: HeldRefusal = {
          code,
          atMs: now(),
          settle(ruling) {
            signal.removeEventListener('abort', onAbort);
            waiting.delete(held);
            resolve(ruling);
          },
        };
        signal.addEventListener('abort', onAbort, { once: true });
        waiting.add(held);
        watchForQuiet();
      });
    },
    succeeded(startedAtMs) {
      row.clear();
      provenSinceMs = Math.max(provenSinceMs, startedAtMs);
      for (const { code, atMs } of waiting) if (atMs < startedAtMs) stoodAtMs.set(code, now());
      settle('stands', ({ atMs }) => atMs < startedAtMs);
    },
    provenWithin: (agoMs) => provenSinceMs > now() - agoMs,
    suspend: () => settle('give-back'),
    held: () => waiting.size,
    blocker() {
      const [first] = waiting;
      if (first === undefined) return null;
      const files = `${waiting.size} ${waiting.size === 1 ? 'file was' : 'files were'}`;
      const message = `${files} refused and none that was sent since was accepted: their receipts wait until it shows whose fault that is`;
      return { reason: 'unproven', sinceMs: first.atMs, untilMs: null, message, passes: 'others' };
    },
    close() {
      closed = true;
      settle('give-back');
    },
  };
}
