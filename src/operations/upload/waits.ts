import { sleep } from '../../platform/waiting/abort.ts';
import type { Clock } from '../../platform/waiting/clock.ts';
import type { DestinationTraffic } from '../../traffic/destination-traffic.ts';

/** Why nothing is sent for now. */
export interface Wait {
  /** Milliseconds since the epoch. */
  readonly untilMs: number;
  /** For people. */
  readonly message: string;
}

/** What the files of an uploader wait for, while none of them is on its way. */
export interface Waits {
  /** A file waits for so long. @param message why */
  sleep(delayMs: number, message: string, signal: AbortSignal): Promise<void>;
  /** What ends first; null: something is on its way, or nobody waits. */
  current(): Wait | null;
}

export function createWaits(
  traffic: Pick<DestinationTraffic, 'permits' | 'blockers' | 'destination'>,
  clock: Pick<Clock, 'nowMs'>,
): Waits {
  const waits = new Set<Wait>();
  return {
    async sleep(delayMs, message, signal) {
      const wait = { untilMs: clock.nowMs() + delayMs, message };
      waits.add(wait);
      try {
        await sleep(delayMs, signal);
      } finally {
        waits.delete(wait);
      }
    },
    current() {
      if (traffic.permits.inFlight() > 0) return null;
      const gate = traffic.blockers().find(({ reason }) => reason === 'retry-after');
      if (gate !== undefined && gate.untilMs !== null)
        return { untilMs: gate.untilMs, message: `${traffic.destination.name} ${gate.message}` };
      // Who waits for a permit goes on at once: somebody else's wait holds nobody up.
      if (traffic.permits.waiting() > 0) return null;
      return [...waits].toSorted((a, b) => a.untilMs - b.untilMs)[0] ?? null;
    },
  };
}
