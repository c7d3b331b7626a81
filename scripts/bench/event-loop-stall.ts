import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface Stalled<T> {
  readonly result: T;
  /** How long it took. */
  readonly ms: number;
  /** Longest time in which the event loop did not turn. */
  readonly stallMs: number;
}

/** Does something and watches the event loop meanwhile, to the millisecond. */
export async function watched<T>(work: () => T | Promise<T>): Promise<Stalled<T>> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const beganMs = performance.now();
  try {
    const result = await work();
    const ms = performance.now() - beganMs;
    // A stall is noticed by the next tick of the monitor.
    await new Promise((resolve) => setTimeout(resolve, 5));
    delay.disable();
    return { result, ms, stallMs: delay.max / 1e6 };
  } finally {
    delay.disable();
  }
}
