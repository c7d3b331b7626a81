import type { Log } from '../../domain/log.ts';
import type { PendingJobs } from '../../intake/admit/pending-jobs.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { UploadQueue } from '../../queue/upload-queue.ts';

/** What Redis holds, what its owner believes it holds, and what the ledger knows. */
export interface Books {
  readonly source: string;
  readonly queue: Pick<UploadQueue, 'counts' | 'jobs' | 'remove'>;
  readonly pending: Pick<PendingJobs, 'all' | 'open' | 'replace'>;
  readonly ledger: Pick<Ledger, 'find'>;
  readonly log: Log;
  /** Told how many are gone, before they are forgotten. */
  readonly onLost: (jobs: number) => void;
}

/** What a comparison has found. */
export interface Stock {
  readonly gone: number;
  /** Recorded, and in the hands of a worker. */
  readonly held: number;
}

/** Whether Redis holds fewer jobs than have no receipt. Under the source's mutex; costs Redis nothing. */
export async function holdsFewer(queue: Books['queue'], pending: Books['pending']): Promise<boolean> {
  const { waiting, active, delayed, finished } = await queue.counts();
  return waiting + active + delayed + finished < pending.open();
}

/** Brings the three to the same state. Under the source's mutex. */
export async function takeStock({ source, queue, pending, ledger, log, onLost }: Books): Promise<Stock> {
  const there = await queue.jobs();
  // The recorder passes over what has finished and is recorded.
  const recorded = [...there.keys()].filter(
    (jobId) => there.get(jobId) !== 'finished' && isRecorded(jobId, ledger),
  );
  const missing = [...pending.all()].filter((jobId) => !there.has(jobId) && !isRecorded(jobId, ledger));
  // Of the missing too: where their list was evicted their own keys are left, and keep their ids taken.
  const held = new Set(await queue.remove([...recorded, ...missing]));
  for (const jobId of recorded) if (!held.has(jobId)) there.delete(jobId);
  if (recorded.length > 0)
    log.info(
      { source, jobs: recorded.length },
      'jobs in Redis are recorded already; they are not sent again',
    );
  const lost = missing.filter((jobId) => !held.has(jobId));
  if (lost.length > 0) onLost(lost.length);
  pending.replace(new Set([...there.keys(), ...missing.filter((jobId) => held.has(jobId))]));
  return { gone: lost.length, held: recorded.filter((jobId) => held.has(jobId)).length };
}

function isRecorded(jobId: string, ledger: Books['ledger']): boolean {
  const [id = '', gen = ''] = jobId.split('-');
  const recorded = ledger.find(id);
  return recorded !== null && recorded.gen >= Number(gen);
}
