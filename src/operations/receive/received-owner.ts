import { SlipwayError } from '../../domain/errors.ts';
import { GATEWAY_SOURCE, receivedIdIn } from '../../domain/received-source.ts';
import { jobIdOf } from '../../domain/upload-job.ts';
import { createPendingJobs } from '../../intake/admit/pending-jobs.ts';
import { installationId } from '../../ledger/store/data-dir.ts';
import { openLostCount } from '../../ledger/tables/lost-count.ts';
import { createReleases, type Releases } from '../../platform/waiting/releases.ts';
import { within } from '../../platform/waiting/within.ts';
import type { FinishedJobs } from '../../record/finished-jobs.ts';
import { takeOwnership } from '../../redis/coordination/owner-lease.ts';
import { hearRequests } from '../../redis/coordination/owner-requests.ts';
import type { RedisConnection } from '../../redis/redis-access.ts';
import { createFilesInHand } from '../../runtime/owner/files-in-hand.ts';
import { compareWithRedis } from '../../runtime/owner/lost-jobs.ts';
import { createOwnerEvents, type OwnerEvents } from '../../runtime/owner/owner-events.ts';
import { watchHealth } from '../../runtime/owner/owner-health.ts';
import { answerRequest, type OwnerRequest } from '../../runtime/owner/owner-request.ts';
import type { SourceOwner, SourceOwnerOptions } from '../../runtime/owner/source-owner.ts';
import { takeOver } from '../../runtime/owner/when-free.ts';
import type { Acceptance } from './acceptance.ts';
import { startAcceptedFeed } from './accepted-feed.ts';
import type { ReceivedBook } from './received-book.ts';
import { openReceivedQueue, type ReceivedQueue } from './received-queue.ts';

export interface ReceivedOwnerOptions extends SourceOwnerOptions {
  readonly book: ReceivedBook;
  readonly acceptance: Acceptance;
  /** Names of those that have a queue here. */
  readonly destinations: readonly string[];
}

const QUICK_MS = 1_000;
/** A Redis that is there and says nothing must not hold up what needs no Redis. */
const ANSWER_MS = 2_000;

// Over 80 lines: what is opened here in order is what the owner is given back as, and closed in reverse.
/**
 * Becomes the owner of the files that came in by HTTP and are to be sent later: the lease → compare with Redis → bring
 * them into the queues. What is recorded is in the book of the door, which is there before and after.
 * @throws SlipwayError `source_owned`, `owned_elsewhere`, `queue_foreign`
 */
export async function startReceivedOwner(options: ReceivedOwnerOptions): Promise<SourceOwner> {
  const { redis, prefix, log, now, book, acceptance } = options;
  const { connection } = redis;
  const { store, recorder, exclusive } = book.owned;
  const plan = { ...options.plan, name: GATEWAY_SOURCE };
  const events = createOwnerEvents();
  const health = watchHealth(events);
  const releases = createReleases();
  try {
    await takeLease(options, events, releases);
    const queue = openReceivedQueue({
      ...{ connection, prefix, log, now, destinations: options.destinations },
      destinationOf: ({ path }) => book.accepted.find(receivedIdIn(path) ?? '')?.destination ?? null,
    });
    releases.add(() => queue.close());
    const pending = createPendingJobs(options.maxPending);
    pending.replace([...(await queue.jobs()).keys()].map((jobId) => [jobId, null] as const));
    releases.add(() => book.results(null));
    book.results(resultsOf(queue, connection));
    book.onRecorded((receipts, jobIds) => events.tell('recorded', { receipts, jobIds }));
    book.onState((state) => events.tell('recording', state));
    events.on('recorded', ({ receipts, jobIds }) => {
      pending.remove(jobIds);
      // What was uploaded while its caller waited is counted there.
      const jobs = new Set(jobIds);
      options.onRecorded(receipts.filter(({ id, gen }) => jobs.has(jobIdOf(id, gen))));
    });
    events.on('recording', ({ kind }) => options.onRecording(kind === 'recording' || kind === 'stopped'));
    const inHand = createFilesInHand();
    await compareWithRedis(
      { ...options, plan },
      { store, queue, pending, inHand, exclusive },
      events,
      releases,
    );
    const feed = startAcceptedFeed({
      ...{ accepted: book.accepted, ledger: store.ledger, pending, exclusive, log },
      queue: { add: (jobs) => answered(connection, () => queue.add(jobs)) },
      destinations: new Set(options.destinations),
    });
    releases.add(() => feed.close());
    acceptance.onAccepted(feed.wake);
    events.on('lostFreed', feed.again);
    events.on('lost', () => {
      options.onLost();
      void releases.all(QUICK_MS);
    });
    const requests = hearRequests({
      ...{ connection, prefix, source: GATEWAY_SOURCE, log },
      handle: (request) =>
        answerRequest(request as OwnerRequest, {
          ...{ store, plan, log, dataDir: options.dataDir, runs: null, telling: book.owned.notifier },
          ...{ rescan: feed.again, forget: acceptance.forget, rootEmptied: async () => false },
        }),
    });
    releases.add(() => requests.close());
    return {
      plan,
      unreadable: () => 0,
      rootHeld: () => null,
      wake: recorder.wake,
      books: null,
      failure: health.failure,
      dead: health.dead,
      batch: () => null,
      async drained(signal) {
        await health.unlessLost(pending.waitUntilEmpty(signal));
        return [];
      },
      report: () => answered(connection, () => reportOf({ ...options, plan }, queue, pending.open())),
      quiesce: () => feed.close(),
      async close(budgetMs) {
        await within(recorder.drained(), budgetMs / 2);
        await releases.all(Math.max(100, budgetMs / 2));
      },
    };
  } catch (error) {
    await releases.all(QUICK_MS);
    throw error;
  }
}

async function takeLease(
  { redis: { connection }, prefix, owner, dataDir, log }: ReceivedOwnerOptions,
  events: OwnerEvents,
  releases: Releases,
): Promise<void> {
  const { whenFree } = takeOver({ source: GATEWAY_SOURCE, host: owner.host, log });
  const ledger = { id: await installationId(dataDir), dataDir };
  const lease = await whenFree(() =>
    takeOwnership({
      ...{ connection, prefix, source: GATEWAY_SOURCE, owner, ledger, log },
      onLost() {
        const error = new SlipwayError('source_lost', { source: GATEWAY_SOURCE });
        log.error({ source: GATEWAY_SOURCE }, error.message);
        events.tell('lost', error);
      },
    }),
  );
  releases.add(() => lease.release());
}

/** Without Redis there are none: what needs no Redis is recorded all the same. What is taken twice is recorded once. */
function resultsOf(queue: ReceivedQueue, connection: RedisConnection): FinishedJobs {
  return {
    take: (max) => answered(connection, () => queue.takeFinished(max)).catch(() => []),
    remove: (jobIds) => answered(connection, () => queue.removeFinished(jobIds)).catch(() => undefined),
  };
}

/** An answer of Redis, or a rejection: now while it is away, soon when it goes away meanwhile. */
async function answered<T>(connection: RedisConnection, ask: () => Promise<T>): Promise<T> {
  if (connection.status !== 'ready') throw new Error('Redis is not there');
  const { promise: gone, reject } = Promise.withResolvers<never>();
  const lost = (): void => reject(new Error('the connection to Redis was lost'));
  const timer = setTimeout(lost, ANSWER_MS);
  connection.once('close', lost);
  try {
    return await Promise.race([ask(), gone]);
  } finally {
    clearTimeout(timer);
    connection.off('close', lost);
  }
}

async function reportOf(
  { plan, book }: ReceivedOwnerOptions,
  queue: ReceivedQueue,
  pending: number,
): ReturnType<SourceOwner['report']> {
  const { store, notifier, recorder } = book.owned;
  const { waiting, active, delayed } = await queue.counts();
  const { uploaded, failed, skipped } = store.ledger.counts().latest;
  const state = recorder.state();
  return {
    ...{ name: plan.name, path: plan.root, destination: plan.destination, manifest: plan.manifest },
    discovered: uploaded + failed + skipped + pending,
    ...{ uploaded, failed, skipped },
    dead: store.ledger.deadLetters.count(),
    lostJobs: openLostCount(store.ledger).jobs(),
    ...{ pending, unsettled: 0, unreadable: 0, waiting, active, delayed },
    oldestWaiting: waiting === 0 ? null : await queue.oldestWaiting(),
    batches: [],
    trouble: state.kind === 'paused' || state.kind === 'halted' ? state.error.message : null,
    blockers: [],
    webhooks: notifier?.report() ?? [],
  };
}
