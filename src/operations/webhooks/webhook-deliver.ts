import type { ResolvedConfig } from '../../config/resolved-config.ts';
import type { Log } from '../../domain/log.ts';
import { startNotifier } from '../../notify/notifier.ts';
import { replayDeliveries } from '../../notify/outbox/webhook-replay.ts';
import type { SenderOptions } from '../../notify/send/open-sender.ts';
import { openIdleStore, reachLiveOwner } from '../../runtime/owner/owner-request.ts';
import { endpointsOf } from '../../runtime/plans/endpoint-plans.ts';
import { type KnownSource, placeOf } from '../../runtime/plans/known-sources.ts';

/** What waited for one endpoint of one source, and what became of it. */
export interface DeliverAnswer {
  readonly source: string;
  readonly endpoint: string;
  /** Made out and not acknowledged when it was asked; what only the journal has comes on top. */
  readonly deliveries: number;
  /** It was disabled, and is delivered to again. */
  readonly enabled: boolean;
  /** Process that sends them now; null: this one has. */
  readonly owner: { readonly pid: number; readonly host: string } | null;
  /** Events that still wait after this process has sent; null: the owner sends. */
  readonly waiting: number | null;
  /** Why some still wait, in one line. */
  readonly problem: string | null;
}

interface DeliverOptions {
  readonly config: Pick<ResolvedConfig, 'dataDir' | 'redis' | 'webhooks' | 'sources'>;
  readonly sources: readonly KnownSource[];
  /** Of the endpoint. */
  readonly name: string;
  readonly senders: SenderOptions;
  readonly log: Log;
}

/**
 * Sends now what waits for an endpoint: of each source, the process that works on it does, else this one, which waits
 * until everything was tried once.
 * @throws SlipwayError `redis_unreachable`, `owner_out_of_reach`, `owner_silent`, what opening a store throws
 */
export async function deliverNow(options: DeliverOptions): Promise<DeliverAnswer[]> {
  const { config, name, sources } = options;
  const answers: DeliverAnswer[] = [];
  for (const source of sources) {
    const endpoints = endpointsOf(config, source.name);
    if (!endpoints.some((endpoint) => endpoint.name === name)) continue;
    const place = { dataDir: config.dataDir, redis: config.redis, log: options.log, endpoints };
    const live = await reachLiveOwner(source, place);
    if (live === null) {
      answers.push(await deliverHere(source, options));
      continue;
    }
    try {
      const request = { kind: 'replay', endpoint: name, what: { kind: 'now' } } as const;
      const owner = live.by.kind === 'owner' ? live.by.owner : null;
      const answer = await live.ask<'replay'>(request);
      for (const { endpoint, deliveries, enabled } of answer.endpoints)
        answers.push({
          ...{ source: source.name, endpoint, deliveries: deliveries ?? 0, enabled },
          ...{ owner, waiting: null, problem: null },
        });
    } finally {
      await live.close();
    }
  }
  return answers;
}

/** Telling needs no Redis: whoever holds the source may. */
async function deliverHere(
  source: KnownSource,
  { config, name, senders, log }: DeliverOptions,
): Promise<DeliverAnswer> {
  const place = placeOf(source, config.dataDir, log);
  const store = await openIdleStore(place);
  try {
    const notifier = await startNotifier({
      ...{ source: source.name, endpoints: endpointsOf(config, source.name), only: name },
      ...{ store, intentOf: place.intentOf, senders, log, now: Date.now },
    });
    try {
      const [asked] = await replayDeliveries(store, notifier, { kind: 'now' }, name);
      await notifier.caughtUp();
      const [report] = notifier.report();
      const waiting = report?.pending ?? 0;
      const isBehind = waiting > 0 || (report?.behindBytes ?? 0) > 0;
      return {
        ...{ source: source.name, endpoint: name, owner: null, waiting },
        ...{ deliveries: asked?.deliveries ?? 0, enabled: asked?.enabled ?? false },
        problem: isBehind ? (report?.disabled ?? report?.last?.summary ?? 'not acknowledged') : null,
      };
    } finally {
      await notifier.close();
    }
  } finally {
    await store.close();
  }
}
