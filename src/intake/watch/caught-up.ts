import type { PathName } from '../../domain/path-bytes.ts';

/** Those who wait until everything that lay in the folder when they asked has been admitted. */
export interface CaughtUp {
  /**
   * Resolves as described, with the files that were still being written when the patience was over: none of them had become
   * whole for so long. Rejects with what `fail` is given.
   */
  wait(): Promise<readonly PathName[]>;
  /** A full reconcile begins: it counts for everyone who asked before. */
  scanBegan(): void;
  /** It ended; what it found has been admitted, except files still tracked below `seq`. */
  scanEnded(seq: number, nowMs: number): void;
  /** What is found is held up on its way into the queue: patience begins only when that is free. */
  heldUp(nowMs: number): void;
  /** Whether somebody could be told now. */
  met(tracked: TrackedFiles, nowMs: number): boolean;
  /** Tells them. */
  tell(tracked: TrackedFiles, nowMs: number): void;
  /** Monotonic time at which somebody's patience is looked at; null: nobody waits for files. */
  nextDueMs(): number | null;
  fail(reason: unknown): void;
  pending(): boolean;
}

/** Files that are not whole yet. */
export interface TrackedFiles {
  /** Sequence number of the file that has waited longest; null when none waits. */
  oldestSeq(): number | null;
  /** Those first seen before the file that got this number. */
  below(seq: number): readonly PathName[];
}

interface Waiter {
  readonly resolve: (unsettled: readonly PathName[]) => void;
  readonly reject: (reason: unknown) => void;
  phase: Phase;
}

type Phase =
  | { kind: 'asked' }
  | { kind: 'scanning' }
  /** `left` files have not become whole, the last that did having done so by `movedMs`. */
  | { kind: 'settling'; belowSeq: number; left: number; movedMs: number; lookMs: number };

/** Looks at all that is tracked are dear with many files: so often within the patience. */
const LOOKS = 10;

/**
 * Nobody waits yet.
 * @param patienceMs so long none may become whole before the rest is not waited for any more
 */
export function createCaughtUp(patienceMs: number): CaughtUp {
  const waiters = new Set<Waiter>();

  function isMet(phase: Phase, tracked: TrackedFiles, nowMs: number): boolean {
    if (phase.kind !== 'settling') return false;
    const oldestSeq = tracked.oldestSeq();
    if (oldestSeq === null || oldestSeq >= phase.belowSeq) return true;
    if (nowMs < phase.lookMs) return false;
    const left = tracked.below(phase.belowSeq).length;
    if (left < phase.left) phase.movedMs = nowMs;
    phase.left = left;
    phase.lookMs = nowMs + patienceMs / LOOKS;
    return nowMs - phase.movedMs >= patienceMs;
  }

  return {
    async wait() {
      return await new Promise<readonly PathName[]>((resolve, reject) => {
        waiters.add({ resolve, reject, phase: { kind: 'asked' } });
      });
    },
    scanBegan() {
      for (const waiter of waiters) if (waiter.phase.kind === 'asked') waiter.phase = { kind: 'scanning' };
    },
    scanEnded(belowSeq, nowMs) {
      const lookMs = nowMs + patienceMs / LOOKS;
      for (const waiter of waiters) {
        if (waiter.phase.kind !== 'scanning') continue;
        waiter.phase = {
          ...{ kind: 'settling', belowSeq, movedMs: nowMs, lookMs },
          left: Number.POSITIVE_INFINITY,
        };
      }
    },
    heldUp(nowMs) {
      for (const { phase } of waiters) if (phase.kind === 'settling') phase.movedMs = nowMs;
    },
    met: (tracked, nowMs) => [...waiters].some(({ phase }) => isMet(phase, tracked, nowMs)),
    tell(tracked, nowMs) {
      for (const waiter of waiters) {
        const { phase } = waiter;
        if (phase.kind !== 'settling') continue;
        const left = tracked.below(phase.belowSeq);
        if (left.length > 0 && nowMs - phase.movedMs < patienceMs) continue;
        waiters.delete(waiter);
        waiter.resolve(left);
      }
    },
    nextDueMs() {
      const due = [...waiters].flatMap(({ phase }) => (phase.kind === 'settling' ? [phase.lookMs] : []));
      return due.length === 0 ? null : Math.min(...due);
    },
    fail(reason) {
      for (const waiter of waiters) waiter.reject(reason);
      waiters.clear();
    },
    pending: () => waiters.size > 0,
  };
}
