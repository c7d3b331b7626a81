import { SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { PathName } from '../domain/path-bytes.ts';
import { hostIdentity } from '../platform/process-identity.ts';
import { leaseHolder, type Owner } from '../queue/owner-lease.ts';
import { askOwner } from '../queue/owner-requests.ts';
import { replayJournal } from '../record/journal-replay.ts';
import { openSourceStore, type SourceStore } from '../record/source-store.ts';
import { grantWish } from '../record/wishes.ts';
import type { BatchProgress, BatchRuns } from './batch-runs.ts';
import { readBatchSpec } from './batch-spec.ts';
import { type KnownSource, placeOf } from './known-sources.ts';
import { findRedis } from './redis-access.ts';

/** What a command may ask of the owner of a source. Nothing secret: it travels through Redis (G5). */
export type OwnerRequest =
  /** What is recorded is to be sent once more: one path, or (null) every path. `mark`: journal bytes when it was asked. */
  | { readonly kind: 'send-again'; readonly name: PathName | null; readonly mark: number }
  /** A batch whose spec lies in the data folder is to be found and sent; to be asked again, it goes on with it. */
  | { readonly kind: 'ingest'; readonly batch: string }
  /** How far a batch is. */
  | { readonly kind: 'batch'; readonly batch: string };

/** What each request is answered with. */
export interface OwnerAnswers {
  /** Versions that go once more. */
  readonly 'send-again': { readonly versions: number };
  readonly ingest: { readonly started: true };
  readonly batch: { readonly progress: BatchProgress | null };
}

/** What the owner has at hand to do what is asked. */
export interface OwnerMeans {
  readonly store: SourceStore;
  /** Looks at the whole folder again; nothing where nobody watches it now. */
  readonly rescan: () => void;
  readonly dataDir: string;
  readonly source: string;
  /** null: this process is the owner for the moment of one request. */
  readonly runs: BatchRuns | null;
}

/** Who did it. */
export type DoneBy =
  | { readonly kind: 'owner'; readonly owner: Owner }
  /** Nobody worked on the source: this process did it, for that moment its owner. */
  | { readonly kind: 'self' };

/** Long enough for an owner in the middle of a large batch. */
const ANSWER_MS = 20_000;

/** Does what is asked; durable when it resolves. */
export async function answerRequest<Kind extends OwnerRequest['kind']>(
  request: Extract<OwnerRequest, { kind: Kind }>,
  means: OwnerMeans,
): Promise<OwnerAnswers[Kind]> {
  return (await answerTo(request, means)) as OwnerAnswers[Kind];
}

async function answerTo(
  request: OwnerRequest,
  means: OwnerMeans,
): Promise<OwnerAnswers[OwnerRequest['kind']]> {
  switch (request.kind) {
    case 'send-again': {
      const { ledger, journal } = means.store;
      const versions = await grantWish({ v: 1, ...request }, ledger, journal.path);
      if (versions > 0) means.rescan();
      return { versions };
    }
    case 'ingest': {
      const { source, dataDir, runs } = means;
      const spec = await readBatchSpec(dataDir, request.batch);
      for (const part of spec.parts) if (part.source === source) runs?.start(part);
      return { started: true };
    }
    case 'batch':
      return { progress: means.runs?.progress(request.batch) ?? null };
    default:
      throw new SlipwayError('internal', {
        reason: 'the owner is of a version that does not know this request',
      });
  }
}

/**
 * Hands work to the live owner of a source over Redis, else does it as its owner for that moment (DESIGN §4).
 * @throws SlipwayError `owner_silent`, `owner_refused`, `source_owned` for an owner that cannot be reached over Redis,
 *   what opening the store throws
 */
export async function withOwner<Kind extends OwnerRequest['kind']>(
  source: KnownSource,
  request: Extract<OwnerRequest, { kind: Kind }>,
  facts: {
    readonly dataDir: string;
    readonly redis: { readonly url: string | null; readonly prefix: string };
    readonly log: Log;
  },
): Promise<{ readonly answer: OwnerAnswers[Kind]; readonly by: DoneBy }> {
  const { dataDir, redis, log } = facts;
  const connection = await findRedis({ dataDir, url: redis.url, log });
  try {
    const common = connection === null ? null : { connection, prefix: redis.prefix, source: source.name };
    const owner =
      common === null
        ? null
        : await leaseHolder(common.connection, common.prefix, source.name, hostIdentity());
    if (common !== null && owner !== null) {
      const answer = await askOwner({ ...common, request, timeoutMs: ANSWER_MS });
      return { answer: answer as OwnerAnswers[Kind], by: { kind: 'owner', owner } };
    }
  } finally {
    connection?.disconnect();
  }
  const place = placeOf(source, dataDir, log);
  const store = await openSourceStore(place);
  try {
    await replayJournal({ ...store, log, intentOf: place.intentOf });
    return {
      answer: await answerRequest(request, { store, rescan() {}, dataDir, source: source.name, runs: null }),
      by: { kind: 'self' },
    };
  } finally {
    await store.close();
  }
}
