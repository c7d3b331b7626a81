import { setTimeout as pause } from 'node:timers/promises';
import { reasonOf } from '../../domain/errors.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { openLostCount } from '../../ledger/tables/lost-count.ts';
import type { Exclusive } from '../../platform/waiting/mutex.ts';
import type { Releases } from '../../platform/waiting/releases.ts';
import { markCompared, redisRunId } from '../../redis/coordination/compared-mark.ts';
import type { RedisAccess } from '../../redis/redis-access.ts';
import type { Owned, OwnOptions } from './own-source.ts';
import type { OwnerEvents } from './owner-events.ts';
import { type Books, holdsFewer, type Stock, takeStock } from './take-stock.ts';

/** How often what Redis holds is compared with what we believe it holds: a flush makes no noise. */
const RESYNC_MS = 5_000;
/** What is recorded and held by nobody that lives is free once its lock has run out: that long it is waited for (rule cleanActive). */
const HELD_MS = 10_000;
const HELD_LOOK_MS = 500;

/**
 * Redis compared with ledger and memory of the owner, at its start, every few seconds and after every reconnect. What
 * Redis has lost (flushed, restarted without its data, a list evicted) is freed, and found again on disk; what it has
 * back although it is recorded (a restored snapshot, a replica that was behind) is taken out before workers take jobs.
 */
export async function compareWithRedis(
  { plan, redis, prefix, log }: OwnOptions,
  owned: Pick<Owned, 'store' | 'pending' | 'inHand' | 'exclusive'> & Pick<Books, 'queue'>,
  events: OwnerEvents,
  releases: Releases,
): Promise<void> {
  const { connection } = redis;
  const source = plan.name;
  const comparison = watchForLostJobs({
    ...{ ...owned, source, ledger: owned.store.ledger, redis, log },
    onLost: (jobs) => events.tell('jobsLost', jobs),
    requeue: () => events.tell('lostFreed', null),
    onSettled: (jobIds) => events.tell('recorded', { receipts: [], jobIds }),
    runId: () => redisRunId(connection, prefix, source),
    compared: (runId) => markCompared(connection, prefix, source, runId),
  });
  releases.add(() => comparison.close());
  await comparison.first;
}

export interface LostJobsOptions extends Books {
  readonly exclusive: Exclusive;
  /** Knows what is recorded, and counts what is lost. */
  readonly ledger: Pick<Ledger, 'find' | 'table' | 'transact'>;
  readonly redis: Pick<RedisAccess, 'onBack'>;
  readonly requeue: () => void;
  /** Which run of Redis answers. */
  readonly runId: () => Promise<string>;
  /** That one holds nothing that is recorded: workers may take its jobs. */
  readonly compared: (runId: string) => Promise<void>;
  readonly everyMs?: number;
  readonly heldMs?: number;
}

/**
 * Both sides of a comparison are read under the source's mutex: only its holder adds jobs or frees their ids, so nothing
 * is missing because it is just on its way.
 * @returns `first`: the comparison at the start
 */
export function watchForLostJobs(options: LostJobsOptions): {
  readonly first: Promise<void>;
  close(): void;
} {
  const { source, queue, pending, exclusive, ledger, log, everyMs = RESYNC_MS, heldMs = HELD_MS } = options;
  const count = lostCount(ledger, (error) =>
    log.debug({ source, reason: reasonOf(error) }, 'what Redis has lost could not be counted yet'),
  );
  let comparedRun: string | null = null;
  let closed = false;

  /** Of a Redis that may be another, or hold what it held long ago. */
  async function compareAll(): Promise<void> {
    comparedRun = null;
    const runId = await options.runId();
    const deadlineMs = performance.now() + heldMs;
    while (!closed && (await compare(true)).held > 0 && performance.now() < deadlineMs)
      await pause(Math.min(HELD_LOOK_MS, heldMs));
    await options.compared(runId);
    comparedRun = runId;
  }

  /** A flush takes the mark too, and those who come later wait for it (rule openPoll). */
  async function compareAgain(): Promise<void> {
    // A Cluster, or what stands before Redis, may change servers without a lost connection.
    if (comparedRun === null || comparedRun !== (await options.runId())) return await compareAll();
    await compare(false);
    await options.compared(comparedRun);
  }

  /** @param always false: only where Redis holds fewer than have no receipt yet. Counting costs it nothing. */
  async function compare(always: boolean): Promise<Stock> {
    const stock = await exclusive(async () =>
      always || (await holdsFewer(queue, pending)) ? await takeStock(options) : { gone: 0, held: 0 },
    );
    count.add(stock.gone);
    if (stock.gone > 0) {
      log.warn({ source, jobs: stock.gone }, 'Redis has lost jobs; their files are queued again');
      options.requeue();
    }
    return stock;
  }

  const turns = oneAtATime(compareAll, (error) =>
    log.debug({ source, reason: reasonOf(error) }, 'not compared with Redis yet'),
  );
  const first = turns.now(compareAll);
  const timer = setInterval(() => {
    count.keep();
    turns.soon(compareAgain);
  }, everyMs);
  const forget = options.redis.onBack(() => turns.soon(compareAll));
  return {
    first,
    close() {
      closed = true;
      turns.close();
      clearInterval(timer);
      forget();
    },
  };
}

/** Comparisons one at a time: during an outage each waits for Redis, and one is enough to wait with. */
function oneAtATime(whole: () => Promise<void>, onTrouble: (error: unknown) => void) {
  let busy = false;
  let closed = false;
  /** Asked for while another ran: of a connection that came back meanwhile. */
  let onceMore = false;

  async function now(work: () => Promise<void>): Promise<void> {
    busy = true;
    try {
      await work();
    } finally {
      busy = false;
      if (onceMore) {
        onceMore = false;
        soon(whole);
      }
    }
  }

  function soon(work: () => Promise<void>): void {
    if (closed) return;
    if (busy) onceMore ||= work === whole;
    else now(work).catch(onTrouble);
  }

  return {
    now,
    soon,
    close() {
      closed = true;
    },
  };
}

/** How many jobs were lost, durable as soon as the disk of the ledger takes it. */
function lostCount(ledger: LostJobsOptions['ledger'], onTrouble: (error: unknown) => void) {
  const table = openLostCount(ledger);
  let uncounted = 0;

  function keep(): void {
    if (uncounted === 0) return;
    try {
      table.add(uncounted);
      uncounted = 0;
    } catch (error) {
      onTrouble(error);
    }
  }

  return {
    keep,
    add(jobs: number) {
      uncounted += jobs;
      keep();
    },
  };
}
