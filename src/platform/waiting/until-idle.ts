/** Often enough to end promptly, seldom enough to cost nothing. */
const LOOK_EVERY_MS = 20;

/**
 * Waits until nothing is in hand.
 * @returns false when the time ran out, or the signal fired, first
 */
export function untilIdle(inHand: () => number, budgetMs: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const endMs = performance.now() + budgetMs;
    const look = (): void => {
      if (inHand() === 0) finish(true);
      else if (performance.now() >= endMs || signal.aborted) finish(false);
    };
    const timer = setInterval(look, LOOK_EVERY_MS);
    const finish = (idle: boolean): void => {
      clearInterval(timer);
      resolve(idle);
    };
    look();
  });
}
