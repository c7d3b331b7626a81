import type { Rate } from '../pacing/known-quota.ts';
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

/** @param now milliseconds of a clock that only goes forward */
export function createRatePace(options: {
  readonly rate: Rate | null;
  readonly reserve: (count: number) => Promise<Lease>;
  readonly onReady: () => void;
  readonly now: () => number;
}): RatePace {
  const { rate, reserve, onReady, now } = options;
  if (rate === null) return { take: () => true, refund() {}, close() {} };
  const { perSecond } = rate;
  const slots = createRateSlots(perSecond);
  let leasing = false;
  let timer: NodeJS.Timeout | null = null;
  let closed = false;

  function lease(ready: number): void {
    if (leasing || closed) return;
    leasing = true;
    reserve(leaseSize(perSecond, ready))
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
      const turn = slots.take(now());
      if (turn.kind === 'wait') wakeIn(turn.ms);
      if (turn.kind === 'empty') lease(ready);
      // The next slot is asked for ahead, so that it is here when it is due.
      if (turn.kind === 'go' && ready > 1 && slots.inHand() === 0) lease(ready - 1);
      return turn.kind === 'go';
    },
    refund: () => slots.refund(now()),
    close() {
      closed = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
