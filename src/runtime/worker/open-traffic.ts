import type { Log } from '../../domain/log.ts';
import type { Rate } from '../../pacing/known-quota.ts';
import type { ConcurrencyOptions } from '../../pacing/options.ts';
import {
  destinationChannel,
  hearChanges,
  openDestinationRecord,
} from '../../redis/coordination/destination-record.ts';
import { pauseChannel } from '../../redis/coordination/pause-record.ts';
import type { Pauses } from '../../redis/coordination/pauses.ts';
import type { RedisConnection } from '../../redis/redis-access.ts';
import type { ProbeTiming } from '../../traffic/destination-health.ts';
import {
  type DestinationTraffic,
  openDestinationTraffic,
  type RunnableDestination,
} from '../../traffic/destination-traffic.ts';
import { type SharedDestination, sharedDestination } from '../../traffic/shared-destination.ts';

/** A destination this process uploads to. */
export interface RunDestination {
  readonly destination: RunnableDestination;
  readonly concurrency: ConcurrencyOptions;
  /** Quota of uploads of all processes together; null: none. */
  readonly rate: Rate | null;
}

export interface OpenTraffic {
  readonly traffic: DestinationTraffic;
  /** Most uploads at once. */
  readonly max: number;
}

export interface OpenTraffics {
  find(destination: string): OpenTraffic | undefined;
  all(): readonly DestinationTraffic[];
  close(): Promise<void>;
}

/** Looks after every destination of a process, together with all others that send there. */
export async function openTraffics(options: {
  readonly destinations: readonly RunDestination[];
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** Names this process among all that share the Redis. */
  readonly member: string;
  readonly pauses: Pauses;
  readonly inHand: (destination: string) => number;
  readonly probe: ProbeTiming;
  readonly log: Log;
  readonly now: () => number;
}): Promise<OpenTraffics> {
  const { connection, prefix, member, pauses, probe, log, now } = options;
  const traffics = new Map<string, OpenTraffic>();
  const channels = new Map<string, () => void>([[pauseChannel(prefix), pauses.look]]);
  const shares: SharedDestination[] = [];
  for (const { destination, concurrency, rate } of options.destinations) {
    const { name } = destination;
    const record = openDestinationRecord({ connection, prefix, destination: name, member });
    const isThere = (): boolean => connection.status === 'ready';
    const shared = sharedDestination({ record, rate, isThere, log, now });
    const inHand = (): number => options.inHand(name);
    const traffic = openDestinationTraffic({
      destination,
      concurrency,
      rate,
      inHand,
      shared,
      log,
      now,
      probe,
    });
    traffics.set(name, { traffic, max: concurrency.max });
    channels.set(destinationChannel(prefix, name), shared.look);
    shares.push(shared);
  }
  const changes = hearChanges(connection, channels);
  await Promise.all(shares.map((shared) => shared.joined()));
  return {
    find: (destination) => traffics.get(destination),
    all: () => [...traffics.values()].map(({ traffic }) => traffic),
    async close() {
      changes.close();
      pauses.close();
      await Promise.all([...traffics.values()].map(({ traffic }) => traffic.close()));
    },
  };
}
