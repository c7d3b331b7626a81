import type { BatchProgress } from '../../domain/batch-progress.ts';
import type { BatchSource } from '../../domain/batch-source.ts';
import { SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { GATEWAY_SOURCE } from '../../domain/received-source.ts';
import type { BatchRunner } from '../../intake/batch/batch-runner.ts';
import { replayJournal } from '../../ledger/journal/journal-replay.ts';
import { readBatchSpec } from '../../ledger/store/batch-spec.ts';
import { applyResend } from '../../ledger/store/resend-request.ts';
import { openSourceStore, type SourceStore, type StorePlace } from '../../ledger/store/source-store.ts';
import { openBatchEnds } from '../../ledger/tables/batch-ends.ts';
import { openLostCount } from '../../ledger/tables/lost-count.ts';
import type { Endpoint } from '../../notify/endpoint/endpoint.ts';
import { type Telling, tellingOf } from '../../notify/outbox/telling.ts';
import {
  type ReplayedEndpoint,
  type ReplayWhat,
  replayDeliveries,
} from '../../notify/outbox/webhook-replay.ts';
import { hostIdentity } from '../../platform/process/process-identity.ts';
import { leaseHolder, type Owner } from '../../redis/coordination/owner-lease.ts';
import { askOwner } from '../../redis/coordination/owner-requests.ts';
import { findRedis } from '../../redis/redis-access.ts';
import type { RedisPlace } from '../../redis/redis-place.ts';
import { type KnownSource, placeOf } from '../plans/known-sources.ts';
import type { SourcePlan } from '../plans/source-plan.ts';
import { discardFailed, type FailedAnswer, type FailedRequest, retryFailed } from './failed-uploads.ts';
import { discardReceived, retryReceived } from './received-failures.ts';

/**
 * What a command may ask of the owner of a source. Nothing secret: it travels through Redis (G5). Whatever may concern
 * a million files is asked for a page at a time, so that each answer comes soon.
 */
export type OwnerRequest =
  | {
      /** What is recorded is to be sent once more: one path, or (null) every path, or those of a batch. */
      readonly kind: 'send-again';
      readonly name: PathName | null;
      readonly batch: string | null;
      /** Only what went to this destination; null: wherever it went. */
      readonly to: string | null;
      /** Journal bytes when it was asked; null: now. What is recorded behind them is not meant. */
      readonly mark: number | null;
      /** `next` of the page before; 0 to begin. */
      readonly from: number;
    }
  | FailedRequest
  /** A batch whose spec lies in the data folder is to be found and sent; to be asked again, it goes on with it. */
  | { readonly kind: 'ingest'; readonly batch: string }
  /** How far a batch is. */
  | { readonly kind: 'batch'; readonly batch: string }
  /** Webhook events are to be told once more: of one endpoint, or (null) of all. */
  | { readonly kind: 'replay'; readonly endpoint: string | null; readonly what: ReplayWhat }
  /** Lost jobs have been seen: they are counted anew. */
  | { readonly kind: 'clear-lost' }
  /** Is the source's folder there, and empty? A worker asks that sees an empty one. */
  | { readonly kind: 'root' };

/** What each request is answered with. */
export interface OwnerAnswers {
  readonly 'send-again': {
    /** Versions that go once more because of this page. */
    readonly versions: number;
    readonly mark: number;
    readonly next: number | null;
  };
  readonly 'retry-failed': FailedAnswer;
  readonly 'discard-failed': FailedAnswer;
  readonly ingest: { readonly started: true };
  readonly batch: { readonly progress: BatchProgress | null };
  readonly root: { readonly emptied: boolean };
  readonly 'clear-lost': { readonly jobs: number };
  readonly replay: { readonly endpoints: readonly ReplayedEndpoint[] };
}

/** What the owner has at hand to do what is asked. */
export interface OwnerDeps {
  readonly store: SourceStore;
  readonly plan: SourcePlan;
  /** Looks at the whole folder again, one file first; nothing where nobody watches it now. */
  readonly rescan: (first?: string) => void;
  readonly log: Log;
  readonly dataDir: string;
  /** null: this process is the owner for the moment of one request. */
  readonly runs: BatchRunner | null;
  /** Whether the folder that held the files is there, and nothing lies in it now. */
  readonly rootEmptied: () => Promise<boolean>;
  /** null: it tells nobody. */
  readonly telling: Telling | null;
  /** The bytes of files that came in by HTTP are needed no more. */
  readonly forget?: (ids: readonly string[]) => Promise<void>;
}

/** Who did it. */
export type DoneBy =
  | { readonly kind: 'owner'; readonly owner: Owner }
  /** Nobody worked on the source: this process did it, for that moment its owner. */
  | { readonly kind: 'self' };

/** The way to the owner of one source, until closed. */
export interface OwnerDoor {
  readonly by: DoneBy;
  /** Durable when it resolves. Throws SlipwayError `owner_silent`, `owner_refused`, and what doing it throws. */
  ask<Kind extends OwnerRequest['kind']>(
    request: Extract<OwnerRequest, { kind: Kind }>,
  ): Promise<OwnerAnswers[Kind]>;
  close(): Promise<void>;
}

/** Where the owner is looked for. */
export interface OwnerRequestOptions {
  readonly dataDir: string;
  readonly redis: RedisPlace;
  readonly log: Log;
  /** Who is told of it, for requests about that. */
  readonly endpoints?: readonly Endpoint[];
}

/** Long enough for an owner in the middle of a large batch. */
const ANSWER_MS = 20_000;

/** Does what is asked; durable when it resolves. */
export async function answerRequest<Kind extends OwnerRequest['kind']>(
  request: Extract<OwnerRequest, { kind: Kind }>,
  means: OwnerDeps,
): Promise<OwnerAnswers[Kind]>;
export async function answerRequest(
  request: OwnerRequest,
  means: OwnerDeps,
): Promise<OwnerAnswers[OwnerRequest['kind']]> {
  switch (request.kind) {
    case 'send-again': {
      if (cameByHttp(means)) throw new SlipwayError('usage', { problem: NOT_SENT_AGAIN });
      const { ledger, journal } = means.store;
      const { name, batch, to, from } = request;
      const mark = request.mark ?? journal.size();
      const page = await applyResend({ name, batch, to, mark }, ledger, journal.path, from);
      // Once, at the end: a look at the whole folder for every page would be many.
      if (page.next === null) means.rescan(name?.path);
      return { ...page, mark };
    }
    case 'retry-failed':
      return await (cameByHttp(means) ? retryReceived : retryFailed)(request, means);
    case 'discard-failed':
      return await (cameByHttp(means) ? discardReceived : discardFailed)(request, means);
    case 'ingest': {
      const { plan, dataDir, runs } = means;
      const spec = await readBatchSpec(dataDir, request.batch);
      const parts = spec.parts.filter(({ source }) => source === plan.name);
      refuseOther(parts, means);
      for (const part of parts) runs?.start(part);
      return { started: true };
    }
    case 'batch':
      return { progress: means.runs?.progress(request.batch) ?? null };
    case 'replay': {
      const { store, telling } = means;
      const { what, endpoint } = request;
      // Who tells nobody sends nothing again, but what was given up before is still there to be discarded.
      if (telling === null && what.kind !== 'discard') return { endpoints: [] };
      return { endpoints: await replayDeliveries(store, telling ?? tellingOf(store, []), what, endpoint) };
    }
    case 'clear-lost':
      return { jobs: openLostCount(means.store.ledger).clear() };
    case 'root':
      return { emptied: await means.rootEmptied() };
    default:
      throw new SlipwayError('internal', {
        reason: 'the owner is of a version that does not know this request',
      });
  }
}

/** Of what was uploaded the bytes are not kept. */
const NOT_SENT_AGAIN =
  'files that came in by HTTP are not kept once they are uploaded: send them to the gateway again';

function cameByHttp({ plan }: OwnerDeps): boolean {
  return plan.name === GATEWAY_SOURCE;
}

/** An owner sends to one destination, and nothing of a batch goes to another than was asked for. */
function refuseOther(parts: readonly BatchSource[], { plan, store }: OwnerDeps): void {
  for (const { batch, destination } of parts) {
    // One that has ended sends nothing any more: its end is shown.
    if (destination === plan.destination || openBatchEnds(store.ledger)?.find(batch)) continue;
    throw new SlipwayError('usage', {
      problem: `it sends to ${plan.destination}, not to ${destination}: stop it first (slipway status names it), or ingest to ${plan.destination}`,
    });
  }
}

/**
 * Reaches the live owner of a source over Redis, else becomes it until closed (contract §4).
 * @throws SlipwayError `redis_unreachable`, `owner_out_of_reach`, what opening the store throws
 */
export async function reachOwner(source: KnownSource, options: OwnerRequestOptions): Promise<OwnerDoor> {
  return (await reachLiveOwner(source, options)) ?? (await becomeOwner(source, options));
}

/** As `reachOwner`; null where nobody works on the source now. */
export async function reachLiveOwner(
  source: KnownSource,
  facts: OwnerRequestOptions,
): Promise<OwnerDoor | null> {
  const { dataDir, redis, log } = facts;
  const connection = await findRedis({ dataDir, redis, log });
  if (connection === null) return null;
  const place = { connection, prefix: redis.prefix, source: source.name };
  const owner = await leaseHolder(connection, redis.prefix, source.name, hostIdentity()).catch(
    (error: unknown) => {
      connection.disconnect();
      throw error;
    },
  );
  if (owner === null) {
    connection.disconnect();
    return null;
  }
  return {
    by: { kind: 'owner', owner },
    ask: async <Kind extends OwnerRequest['kind']>(request: Extract<OwnerRequest, { kind: Kind }>) =>
      (await askOwner({ ...place, request, timeoutMs: ANSWER_MS })) as OwnerAnswers[Kind],
    async close() {
      connection.disconnect();
    },
  };
}

/**
 * Becomes the owner of a source that nobody works on, until closed.
 * @throws SlipwayError `owner_out_of_reach` for one of this host whose Redis is away, what opening the store throws
 */
export async function becomeOwner(
  source: KnownSource,
  { dataDir, log, endpoints }: OwnerRequestOptions,
): Promise<OwnerDoor> {
  const place = placeOf(source, dataDir, log);
  const store = await openIdleStore(place);
  const telling = endpoints === undefined ? null : tellingOf(store, endpoints);
  const means: OwnerDeps = {
    ...{ store, plan: source.plan, rescan() {}, log, dataDir, runs: null, telling },
    // Only workers ask, and of an owner that lives longer than one request.
    rootEmptied: async () => false,
  };
  try {
    await replayJournal({ ...store, log, intentOf: place.intentOf });
  } catch (error) {
    await store.close();
    throw error;
  }
  return { by: { kind: 'self' }, ask: (request) => answerRequest(request, means), close: store.close };
}

/**
 * Opens the store of a source whose owner was not there to be asked.
 * @throws SlipwayError `owner_out_of_reach` when there is one all the same, what opening the store throws
 */
export async function openIdleStore(place: StorePlace): Promise<SourceStore> {
  return await openSourceStore(place).catch((error: unknown) => {
    if (!(error instanceof SlipwayError) || error.code !== 'source_owned') throw error;
    throw new SlipwayError('owner_out_of_reach', error.details, { cause: error });
  });
}

/** `reachOwner` for a single request. */
export async function withOwner<Kind extends OwnerRequest['kind']>(
  source: KnownSource,
  request: Extract<OwnerRequest, { kind: Kind }>,
  facts: OwnerRequestOptions,
): Promise<{ readonly answer: OwnerAnswers[Kind]; readonly by: DoneBy }> {
  const door = await reachOwner(source, facts);
  try {
    return { answer: await door.ask(request), by: door.by };
  } finally {
    await door.close();
  }
}
