import { type BatchProgress, emptyProgress } from '../../domain/batch-progress.ts';
import type { BatchSource } from '../../domain/batch-source.ts';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { LiveReport } from '../../domain/live-report.ts';
import type { Log } from '../../domain/log.ts';
import { readSourceLedger } from '../../ledger/store/source-store.ts';
import { openBatchEnds } from '../../ledger/tables/batch-ends.ts';
import { hostIdentity } from '../../platform/process/process-identity.ts';
import { leaseHolder } from '../../redis/coordination/owner-lease.ts';
import { askOwner } from '../../redis/coordination/owner-requests.ts';
import { findRedis, type RedisConnection } from '../../redis/redis-access.ts';
import { isRedisFailure } from '../../redis/redis-failure.ts';
import type { RedisPlace } from '../../redis/redis-place.ts';
import type { OnceEnd } from '../../runtime/once-end.ts';
import type { OwnerAnswers, OwnerRequest } from '../../runtime/owner/owner-request.ts';
import { readReports } from '../../runtime/reports/process-reports.ts';

const ANSWER_MS = 20_000;
const LOOK_EVERY_MS = 1_000;
/** How long Redis may be away before its owner is taken for gone. */
const AWAY_MS = 30_000;

/** Parts of a batch that the live owners of their sources work on. */
export interface HandedParts {
  readonly parts: readonly BatchSource[];
  progress(): readonly BatchProgress[];
  /** Until each has ended, or its destination is stopped, or nothing has moved for `giveUpMs` while it was in trouble. */
  once(giveUpMs: number, signal: AbortSignal): Promise<OnceEnd[]>;
  close(): void;
}

/**
 * Hands those parts whose sources are worked on now to their owners, durably: the spec is on disk, and an owner that
 * is asked twice goes on.
 * @throws SlipwayError `owner_silent`, `owner_refused`, `redis_unreachable`
 */
export async function handToOwners(
  parts: readonly BatchSource[],
  options: {
    readonly dataDir: string;
    readonly redis: RedisPlace;
    readonly log: Log;
  },
): Promise<HandedParts> {
  const { dataDir, redis, log } = options;
  const links: Links = {
    ...options,
    connection: await findRedis({ dataDir, redis, log }),
    latest: new Map(),
    closed: false,
  };
  const handed: BatchSource[] = [];
  try {
    for (const part of parts) {
      if (!(await isOwned(links, part.source))) continue;
      await ask(links, part, 'ingest');
      handed.push(part);
    }
  } catch (error) {
    links.connection?.disconnect();
    throw error;
  }
  return {
    parts: handed,
    progress: () => handed.map((part) => links.latest.get(part.source) ?? emptyProgress(part)),
    once: (giveUpMs, signal) => Promise.all(handed.map((part) => follow(links, part, giveUpMs, signal))),
    close() {
      links.closed = true;
      links.connection?.disconnect();
    },
  };
}

/** How the owners are reached. */
interface Links {
  readonly dataDir: string;
  readonly redis: RedisPlace;
  readonly log: Log;
  /** null: there is no Redis, so no owner. */
  connection: RedisConnection | null;
  /** By source: how far its part was at the last look. */
  readonly latest: Map<string, BatchProgress>;
  closed: boolean;
}

async function ask<Kind extends 'ingest' | 'batch'>(
  { connection, redis }: Links,
  part: BatchSource,
  kind: Kind,
): Promise<OwnerAnswers[Kind]> {
  if (connection === null) throw new SlipwayError('owner_silent', { source: part.source, seconds: 0 });
  const request = { kind, batch: part.batch } satisfies OwnerRequest;
  const common = { connection, prefix: redis.prefix, source: part.source };
  return (await askOwner({ ...common, request, timeoutMs: ANSWER_MS })) as OwnerAnswers[Kind];
}

async function isOwned({ connection, redis }: Links, source: string): Promise<boolean> {
  return (
    connection !== null && (await leaseHolder(connection, redis.prefix, source, hostIdentity())) !== null
  );
}

/** The story of a part in another process: look how far it is until it has ended, or gets nowhere. */
async function follow(
  links: Links,
  part: BatchSource,
  giveUpMs: number,
  signal: AbortSignal,
): Promise<OnceEnd> {
  let movedAtMs = performance.now();
  let seenAtMs = performance.now();
  for (;;) {
    const before = links.latest.get(part.source);
    const progress = await look(links, part).catch((error: unknown) =>
      unlessAway(links, part, error, seenAtMs),
    );
    if (progress !== null) {
      seenAtMs = performance.now();
      links.latest.set(part.source, progress);
      if (progress.failure !== null)
        throw new SlipwayError('owner_refused', { source: part.source, reason: progress.failure });
      if (progress.end !== null) return progress.tally.unreadable > 0 ? 'incomplete' : 'drained';
      if (before?.done !== progress.done || before.members !== progress.members)
        movedAtMs = performance.now();
      const trouble = await troubleOf(links, part.destination);
      if (trouble === 'stopped') return 'stopped';
      if (trouble === 'failing' && performance.now() - movedAtMs > giveUpMs) return 'gave-up';
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    signal.throwIfAborted();
  }
}

async function look(links: Links, part: BatchSource): Promise<BatchProgress> {
  const { dataDir, redis, log } = links;
  // A private Redis is gone with its last user; one that was lost may be there again.
  if (links.connection?.status === 'end' && !links.closed) {
    links.connection.disconnect();
    links.connection = await findRedis({ dataDir, redis, log });
  }
  if (!(await isOwned(links, part.source))) return await lastWord(links, part);
  const { progress } = await ask(links, part, 'batch');
  // Another process is the owner by now.
  if (progress === null) await ask(links, part, 'ingest');
  return progress ?? emptyProgress(part);
}

/** The owner is gone: had it ended? */
async function lastWord({ dataDir }: Links, part: BatchSource): Promise<BatchProgress> {
  const ledger = readSourceLedger(dataDir, part.source);
  const end = ledger === null ? null : (openBatchEnds(ledger)?.find(part.batch) ?? null);
  await ledger?.close();
  if (end === null) throw new SlipwayError('owner_gone', { source: part.source, batch: part.batch });
  const files = end.counts.discovered;
  const progress = emptyProgress(part);
  const tally = { ...progress.tally, ...end.missed };
  return { ...progress, walked: true, members: files, done: files, tally, end };
}

/** Redis away for a moment says nothing of the batch: null, to be looked at again. The ledger still knows its end. */
async function unlessAway(
  links: Links,
  part: BatchSource,
  error: unknown,
  seenAtMs: number,
): Promise<BatchProgress | null> {
  if (error instanceof SlipwayError && !isRedisFailure(error)) throw error;
  const isOver = performance.now() - seenAtMs > AWAY_MS;
  return await lastWord(links, part).catch((reason: unknown) => {
    if (isOver) throw reason;
    return null;
  });
}

async function troubleOf(
  { connection, redis, log }: Links,
  destination: string,
): Promise<'none' | 'failing' | 'stopped'> {
  const reports: readonly LiveReport[] =
    connection === null
      ? []
      : await readReports(connection, redis.prefix).catch((error: unknown) => {
          log.debug({ reason: reasonOf(error) }, 'reports cannot be read now');
          return [];
        });
  const views = reports.flatMap((report) => report.destinations.filter(({ name }) => name === destination));
  if (views.length > 0 && views.every(({ health }) => health === 'stopped')) return 'stopped';
  return views.some(({ lastTrouble }) => lastTrouble !== null) ? 'failing' : 'none';
}
