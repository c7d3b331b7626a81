const SAMPLE_MS = 1_000;
/** A loop that is later than this twice in a row has more to do than it can. */
const LATE_MS = 500;

/** Whether this process has more to do than it can. */
export interface LoopDelay {
  isLate(): boolean;
  close(): void;
}

/** Looks once a second how late its own timer comes. */
export function watchLoopDelay(monotonicMs: () => number): LoopDelay {
  let expectedMs = monotonicMs() + SAMPLE_MS;
  let late = 0;
  const timer = setInterval(() => {
    const delayMs = monotonicMs() - expectedMs;
    expectedMs = monotonicMs() + SAMPLE_MS;
    late = delayMs > LATE_MS ? late + 1 : 0;
  }, SAMPLE_MS);
  timer.unref();
  return { isLate: () => late >= 2, close: () => clearInterval(timer) };
}
