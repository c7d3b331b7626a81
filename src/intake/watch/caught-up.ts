/** Those who wait until everything that lay in the folder when they asked has been admitted. */
export interface CaughtUp {
  /** Resolves as described; rejects with what `fail` is given. */
  wait(): Promise<void>;
  /** A full reconcile begins: it counts for everyone who asked before. */
  scanBegan(): void;
  /** It ended; what it found has been admitted, except files still tracked below `seq`. */
  scanEnded(seq: number): void;
  /**
   * Whether somebody could be told now.
   * @param oldestSeq of the files still tracked; null when none is
   */
  met(oldestSeq: number | null): boolean;
  /** Tells them. */
  tell(oldestSeq: number | null): void;
  fail(reason: unknown): void;
  pending(): boolean;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  phase: Phase;
}

type Phase = { kind: 'asked' } | { kind: 'scanning' } | { kind: 'settling'; belowSeq: number };

function isMet(phase: Phase, oldestSeq: number | null): boolean {
  return phase.kind === 'settling' && (oldestSeq === null || oldestSeq >= phase.belowSeq);
}

/** Nobody waits yet. */
export function createCaughtUp(): CaughtUp {
  const waiters = new Set<Waiter>();
  return {
    async wait() {
      await new Promise<void>((resolve, reject) => {
        waiters.add({ resolve, reject, phase: { kind: 'asked' } });
      });
    },
    scanBegan() {
      for (const waiter of waiters) if (waiter.phase.kind === 'asked') waiter.phase = { kind: 'scanning' };
    },
    scanEnded(seq) {
      for (const waiter of waiters) {
        if (waiter.phase.kind === 'scanning') waiter.phase = { kind: 'settling', belowSeq: seq };
      }
    },
    met: (oldestSeq) => [...waiters].some(({ phase }) => isMet(phase, oldestSeq)),
    tell(oldestSeq) {
      for (const waiter of waiters) {
        if (!isMet(waiter.phase, oldestSeq)) continue;
        waiters.delete(waiter);
        waiter.resolve();
      }
    },
    fail(reason) {
      for (const waiter of waiters) waiter.reject(reason);
      waiters.clear();
    },
    pending: () => waiters.size > 0,
  };
}
