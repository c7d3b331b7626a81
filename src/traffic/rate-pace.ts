import { createRateSlots, type Lease, leaseSize } from '../pacing/rate-slots.ts';

/** Says whether one more request may be sent now, for the permits. */
export interface RatePace {
  /**
   * Takes a slot. When none is due yet, `onReady` is called as soon as one is.
   * @param ready uploads that could go now, but for the rate: no more slots are taken from the others than that
   */
  take(ready: number): boolean;
  /** What got a slot has sent nothing. */
  refund(): void;
  close(): void;
}

export interface RatePaceOptions {
  /** Uploads per second that may be sent now; null: as many as can be. */
  readonly perSecond: () => number | null;
  /** The fastest that will ever be. */
  readonly fastest: number;
  /** Nothing is to be sent for so long, milliseconds. */
  readonly restMs?: () => number;
  readonly reserve: (count: number, perSecond: number) => Promise<Lease>;
  readonly onReady: () => void;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
}

/** Paces what is sent, together with all other processes of the destination. */
export function createRatePace(options: RatePaceOptions): RatePace {
  const { perSecond, fastest, restMs = () => 0, reserve, onReady, now } = options;
  const slots = createRateSlots(fastest);
  let leasing = false;
  let timer: NodeJS.Timeout | null = null;
  let closed = false;

  function lease(rate: number, ready: number): void {
    if (leasing || closed) return;
    leasing = true;
    reserve(leaseSize(rate, ready), rate)
      .then((leased) => slots.add(now(), leased))
      .finally(() => {
        leasing = false;
        if (!closed) onReady();
      });
  }

  function wakeIn(ms: number): void {
    if (timer !== null || closed) return;
    timer = setTimeout(() => {
      timer = null;
      onReady();
    }, Math.ceil(ms));
  }

  return {
    take(ready) {
      const rate = perSecond();
      if (rate === null) return true;
      const rest = restMs();
      if (rest > 0) {
        wakeIn(rest);
        return false;
      }
      const turn = slots.take(now());
      if (turn.kind === 'wait') wakeIn(turn.ms);
      if (turn.kind === 'empty') lease(rate, ready);
      // The next slot is asked for ahead, so that it is here when it is due.
      if (turn.kind === 'go' && ready > 1 && slots.inHand() === 0) lease(rate, ready - 1);
      return turn.kind === 'go';
    },
    refund() {
      if (perSecond() !== null) slots.refund(now());
    },
    close() {
      closed = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
