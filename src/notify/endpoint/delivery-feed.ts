import type { Delivery } from '../../domain/delivery.ts';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { DeliveryQueue } from '../../queue/delivery-queue.ts';

/** Redis holds no more of one endpoint (contract §9). */
const MOST_QUEUED = 1_000;
/** What is due later waits in the ledger. */
const HORIZON_MS = 10_000;

/** Between the deliveries that are open and the queue that makes them. */
export interface DeliveryFeed {
  /** Hands over what is due, oldest first. @param idle the endpoint rests */
  fill(idle: boolean): void;
  /** Takes up a job; null: it is not to be made (any more, or twice). */
  begin(jobId: string): Delivery | null;
  end(jobId: string): void;
  /** Open and never tried. */
  fresh(): number;
  /** Milliseconds until one is to be handed over; null: none waits. */
  dueInMs(): number | null;
  /** Whether one is under way, never tried, or due again within seconds. */
  hasSoon(): boolean;
  /** Resolves when none is under way. */
  idle(): Promise<void>;
  /** Finds what Redis has lost: it is handed over again. */
  resync(): Promise<void>;
}

export function createDeliveryFeed(options: {
  readonly queue: DeliveryQueue;
  /** By their number; changes as they end. */
  readonly open: ReadonlyMap<number, Delivery>;
  readonly endpoint: string;
  readonly now: () => number;
  readonly log: Log;
}): DeliveryFeed {
  const { queue, open, now, log, endpoint } = options;
  /** Handed over, by job id. */
  const queued = new Set<string>();
  const inHand = new Set<string>();
  let adding = false;
  let onIdle: (() => void) | null = null;

  function due(): Delivery[] {
    if (queued.size >= MOST_QUEUED) return [];
    const until = now() + HORIZON_MS;
    const found: Delivery[] = [];
    for (const delivery of open.values()) {
      if (delivery.dueAtMs <= until && !queued.has(jobIdOf(delivery))) found.push(delivery);
    }
    return found.sort((a, b) => a.dueAtMs - b.dueAtMs).slice(0, MOST_QUEUED - queued.size);
  }

  async function add(deliveries: readonly Delivery[]): Promise<void> {
    adding = true;
    for (const delivery of deliveries) queued.add(jobIdOf(delivery));
    try {
      await queue.add(
        deliveries.map((delivery) => ({ jobId: jobIdOf(delivery), delayMs: delivery.dueAtMs - now() })),
      );
    } catch (error) {
      log.debug({ endpoint, reason: reasonOf(error) }, 'deliveries are queued later');
      for (const delivery of deliveries) queued.delete(jobIdOf(delivery));
    } finally {
      adding = false;
    }
  }

  return {
    fill(idle) {
      if (idle || adding) return;
      const deliveries = due();
      if (deliveries.length > 0) void add(deliveries);
    },

    begin(jobId) {
      const delivery = open.get(seqOf(jobId));
      if (delivery === undefined || jobIdOf(delivery) !== jobId || inHand.has(jobId)) return null;
      queued.add(jobId);
      inHand.add(jobId);
      return delivery;
    },

    end(jobId) {
      inHand.delete(jobId);
      if (inHand.size === 0) onIdle?.();
      // One that is given back stays queued.
      const delivery = open.get(seqOf(jobId));
      if (delivery === undefined || jobIdOf(delivery) !== jobId) queued.delete(jobId);
    },

    fresh() {
      let count = 0;
      for (const { attempts } of open.values()) if (attempts === 0) count += 1;
      return count;
    },

    dueInMs() {
      if (queued.size >= MOST_QUEUED) return null;
      let least = Number.POSITIVE_INFINITY;
      for (const delivery of open.values()) {
        if (!queued.has(jobIdOf(delivery))) least = Math.min(least, delivery.dueAtMs);
      }
      return Number.isFinite(least) ? Math.max(0, least - HORIZON_MS - now()) : null;
    },

    hasSoon() {
      if (inHand.size > 0) return true;
      const until = now() + HORIZON_MS;
      for (const { attempts, dueAtMs } of open.values()) if (attempts === 0 || dueAtMs <= until) return true;
      return false;
    },

    async idle() {
      if (inHand.size > 0) await new Promise<void>((resolve) => (onIdle = resolve));
    },

    async resync() {
      const asked = [...queued];
      if (asked.length === 0 || adding) return;
      const there = await queue.jobIds();
      const lost = asked.filter((jobId) => !there.has(jobId) && !inHand.has(jobId) && queued.delete(jobId));
      if (lost.length > 0) log.info({ endpoint, deliveries: lost.length }, 'deliveries are queued again');
    },
  };
}

/** A retry is another job: its id must be free while the one before is still being removed. */
function jobIdOf({ seq, attempts }: Delivery): string {
  return `d${seq}-${attempts}`;
}

function seqOf(jobId: string): number {
  return Number(/^d(\d+)-/.exec(jobId)?.[1] ?? Number.NaN);
}
