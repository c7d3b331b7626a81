import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { PendingJobs } from '../../intake/admit/pending-jobs.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { openLostCount } from '../../ledger/tables/lost-count.ts';
import type { Exclusive } from '../../platform/waiting/mutex.ts';
import type { UploadQueue } from '../../queue/upload-queue.ts';
import type { RedisAccess } from '../../redis/redis-access.ts';

/** How often what Redis holds is compared with what we believe it holds: a flush makes no noise. */
const RESYNC_MS = 5_000;

export interface LostJobsOptions {
  readonly source: string;
  readonly queue: Pick<UploadQueue, 'counts' | 'jobIds'>;
  readonly pending: Pick<PendingJobs, 'all' | 'open' | 'replace'>;
  readonly exclusive: Exclusive;
  /** Knows what is recorded, and counts what is lost. */
  readonly ledger: Pick<Ledger, 'find' | 'table' | 'transact'>;
  readonly redis: Pick<RedisAccess, 'onBack'>;
  readonly log: Log;
  /** Told how many are gone, before they are forgotten. */
  readonly onLost: (jobs: number) => void;
  readonly requeue: () => void;
  readonly everyMs?: number;
}

/**
 * Redis may lose jobs (flushed, restarted without its data): compared every few seconds and after every reconnect. Disk
 * and ledger know what to queue again. Both sides of a comparison are read under the source's mutex: only its holder
 * adds jobs or frees their ids, so nothing is missing because it is just on its way.
 */
export function watchForLostJobs(options: LostJobsOptions): { close(): void } {
  const { source, queue, pending, exclusive, ledger, redis, log, everyMs = RESYNC_MS } = options;
  const count = openLostCount(ledger);
  /** Lost, and not in the ledger yet: its disk may be full. */
  let uncounted = 0;

  /** @param always false: only where Redis holds fewer than have no receipt yet. Counting costs it nothing. */
  async function compare(always: boolean): Promise<void> {
    const lost = await exclusive(async () => (always || (await holdsFewer()) ? await takeStock() : 0));
    uncounted += lost;
    keepCount();
    if (lost === 0) return;
    log.warn({ source, jobs: lost }, 'Redis has lost jobs; their files are queued again');
    options.requeue();
  }

  async function holdsFewer(): Promise<boolean> {
    const { waiting, active, delayed, finished } = await queue.counts();
    return waiting + active + delayed + finished < pending.open();
  }

  /** Under the mutex. @returns how many are gone */
  async function takeStock(): Promise<number> {
    const there = new Set(await queue.jobIds());
    const gone = [...pending.all()].filter((jobId) => !there.has(jobId) && !isRecorded(jobId)).length;
    if (gone > 0) options.onLost(gone);
    pending.replace(there);
    return gone;
  }

  function keepCount(): void {
    if (uncounted === 0) return;
    try {
      count.add(uncounted);
      uncounted = 0;
    } catch (error) {
      log.debug({ source, reason: reasonOf(error) }, 'what Redis has lost could not be counted yet');
    }
  }

  function isRecorded(jobId: string): boolean {
    const [id = '', gen = ''] = jobId.split('-');
    const recorded = ledger.find(id);
    return recorded !== null && recorded.gen >= Number(gen);
  }

  const quietly = (work: () => Promise<void>) => () => {
    keepCount();
    work().catch((error: unknown) =>
      log.debug({ source, reason: reasonOf(error) }, 'not compared with Redis yet'),
    );
  };
  const timer = setInterval(
    quietly(() => compare(false)),
    everyMs,
  );
  const forget = redis.onBack(quietly(() => compare(true)));
  return {
    close() {
      clearInterval(timer);
      forget();
    },
  };
}
