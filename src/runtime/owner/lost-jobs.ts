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

/**
 * Redis may lose jobs (flushed, restarted without its data): compared every few seconds and after every reconnect. Disk
 * and ledger know what to queue again.
 */
export function watchForLostJobs(options: {
  readonly source: string;
  readonly queue: UploadQueue;
  readonly pending: PendingJobs;
  readonly exclusive: Exclusive;
  /** Knows what is recorded, and counts what is lost. */
  readonly ledger: Pick<Ledger, 'find' | 'table' | 'transact'>;
  readonly redis: RedisAccess;
  readonly log: Log;
  /** Told how many are gone, before they are forgotten. */
  readonly onLost: (jobs: number) => void;
  readonly requeue: () => void;
}): { close(): void } {
  const { source, queue, pending, exclusive, ledger, redis, log } = options;
  const count = openLostCount(ledger);
  /** Lost, and not in the ledger yet: its disk may be full. */
  let uncounted = 0;

  async function compare(): Promise<void> {
    const lost = await exclusive(async () => {
      const known = new Set(pending.all());
      const there = await queue.jobIds();
      for (const jobId of there) known.delete(jobId);
      const gone = [...known].filter((jobId) => !isRecorded(jobId)).length;
      options.onLost(gone);
      pending.replace(there);
      return gone;
    });
    uncounted += lost;
    keepCount();
    if (lost === 0) return;
    log.warn({ source, jobs: lost }, 'Redis has lost jobs; their files are queued again');
    options.requeue();
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

  async function compareIfFewer(): Promise<void> {
    keepCount();
    const { waiting, active, delayed, finished } = await queue.counts();
    if (waiting + active + delayed + finished < pending.size()) await compare();
  }

  const quietly = (work: () => Promise<void>) => () => {
    work().catch((error: unknown) =>
      log.debug({ source, reason: reasonOf(error) }, 'not compared with Redis yet'),
    );
  };
  const timer = setInterval(quietly(compareIfFewer), RESYNC_MS);
  const forget = redis.onBack(quietly(compare));
  return {
    close() {
      clearInterval(timer);
      forget();
    },
  };
}
