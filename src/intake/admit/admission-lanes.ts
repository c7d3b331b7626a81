import type { Arrival } from '../../domain/lane.ts';
import type { Admission } from './admission.ts';

/**
 * The two ways into the queue, side by side: one may wait for room for hours, and intake goes on with the other. It
 * looks at nothing more of a kind whose way is busy, so what waits stays on disk.
 */
export interface AdmissionLanes {
  busy(arrival: Arrival): boolean;
  /** Begins to admit what was offered, where nothing is under way. Throws what went wrong before. */
  start(signal: AbortSignal): void;
  /** Resolves when neither is busy. False: some of what was offered went no way, as at the end. */
  idle(): Promise<boolean>;
}

/** @param ended called when one is busy no more */
export function createAdmissionLanes(
  admission: Pick<Admission, 'flush' | 'waits'>,
  ended: () => void,
): AdmissionLanes {
  const running: Record<Arrival, Promise<void> | null> = { live: null, backlog: null };
  let failure: { readonly error: unknown } | null = null;

  async function run(arrival: Arrival, signal: AbortSignal): Promise<void> {
    try {
      await admission.flush(arrival, signal);
    } catch (error) {
      failure = { error };
    }
    running[arrival] = null;
    ended();
  }

  return {
    busy: (arrival) => running[arrival] !== null,
    start(signal) {
      const failed = failure;
      failure = null;
      if (failed !== null) throw failed.error;
      for (const arrival of ['live', 'backlog'] as const)
        if (running[arrival] === null && admission.waits(arrival)) running[arrival] = run(arrival, signal);
    },
    async idle() {
      await Promise.all([running.live, running.backlog]);
      return failure === null;
    },
  };
}
