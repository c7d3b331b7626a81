import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface Stalled<T> {
  readonly result: T;
  /** How long it took. */
  readonly ms: number;
  /** Longest time in which the event loop did not turn. */
  readonly stallMs: number;
  /**
   * Longest stretch of this thread's processor time between two turns: what is left of a stall once waiting for the
   * disk, and for a processor that others have, is taken away.
   */
  readonly busyMs: number;
}

/** Does something and watches the event loop meanwhile, to the millisecond. */
export async function watched<T>(work: () => T | Promise<T>): Promise<Stalled<T>> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let busyMs = 0;
  let beforeMs = threadMs();
  const ticks = setInterval(() => {
    const nowMs = threadMs();
    busyMs = Math.max(busyMs, nowMs - beforeMs);
    beforeMs = nowMs;
  }, 1);
  delay.enable();
  const beganMs = performance.now();
  try {
    const result = await work();
    const ms = performance.now() - beganMs;
    // A stall is noticed by the next tick of the monitor.
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { result, ms, stallMs: delay.max / 1e6, busyMs };
  } finally {
    delay.disable();
    clearInterval(ticks);
  }
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
