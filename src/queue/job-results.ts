import type { Queue } from 'bullmq';
import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Outcome } from '../domain/receipt.ts';
import { versionIdOf } from '../domain/upload-job.ts';
import { decodeJob, decodeOutcome, outcomeOfFailedJob } from './codec.ts';
import { doneKey } from './kept-results.ts';
import type { SourceQueues } from './source-queues.ts';

export interface FinishedJob {
  readonly jobId: string;
  readonly outcome: Outcome;
  /** The queue it stands in. */
  readonly kind: SingleKind;
}

type SingleKind = 'live' | 'backlog';
const SINGLES = ['live', 'backlog'] as const;

/** What the finished jobs of a source say. */
export interface Finished {
  readonly jobs: readonly FinishedJob[];
  /** Those that say nothing: disk and ledger decide, and their files are found again (rule emptyJob). */
  readonly empty: readonly string[];
}

export interface FinishedFacts {
  readonly prefix: string;
  readonly source: string;
  readonly destination: string;
  readonly log: Log;
  readonly now: () => number;
}

/** BullMQ fails a job only where its result was refused; whoever has it lays it beside the job meanwhile. */
const FAILED_GRACE_MS = 5_000;

/** Reads the oldest finished jobs of the two queues of single files; they stay. */
export async function readFinished(
  queues: SourceQueues,
  about: FinishedFacts,
  max: number,
): Promise<Finished> {
  const jobs: FinishedJob[] = [];
  const empty: string[] = [];
  for (const kind of SINGLES) {
    const room = max - jobs.length - empty.length;
    if (room <= 0) break;
    for (const { jobId, outcome } of await completed(queues[kind], queues, about, room)) {
      if (outcome === null) empty.push(jobId);
      else jobs.push({ jobId, outcome, kind });
    }
  }
  const late = await refused(queues, about, max);
  return { jobs: [...jobs, ...late.jobs], empty: [...empty, ...late.empty] };
}

async function completed(
  queue: Queue,
  { connection }: SourceQueues,
  { source, destination, log, now }: FinishedFacts,
  max: number,
): Promise<{ readonly jobId: string; readonly outcome: Outcome | null }[]> {
  const jobIds = await connection.zrange(queue.toKey('completed'), '0', String(max - 1));
  if (jobIds.length === 0) return [];
  const pipeline = connection.pipeline();
  for (const jobId of jobIds) pipeline.hmget(queue.toKey(jobId), 'returnvalue', 'data', 'timestamp');
  const answers = (await pipeline.exec()) ?? [];
  return jobIds.map((jobId, index) => {
    const [error, fields] = answers[index] ?? [null, null];
    if (error != null) throw error;
    const [text, data, timestamp] = fields as (string | null)[];
    let why: string;
    try {
      return { jobId, outcome: decodeOutcome(text ?? 'null') };
    } catch (reason) {
      why = reasonOf(reason);
    }
    try {
      if (text == null || text === 'null') throw new Error('it has no result');
      const job = decodeJob(JSON.parse(data ?? 'null'));
      log.error({ source, path: job.path, reason: why }, 'the result of a job cannot be read');
      const id = versionIdOf(jobId, job.gen);
      const facts = { id, destination, reason: why, queuedAtMs: Number(timestamp), nowMs: now() };
      return { jobId, outcome: outcomeOfFailedJob(job, facts) };
    } catch (reason) {
      log.error(
        { source, jobId, reason: reasonOf(reason) },
        'a job cannot be read; its file is queued again',
      );
      return { jobId, outcome: null };
    }
  });
}

/** Jobs whose results Redis refused: what came for them is beside them, or will be in a moment. */
async function refused(queues: SourceQueues, about: FinishedFacts, max: number): Promise<Finished> {
  const { prefix, source, log, now } = about;
  const jobs: FinishedJob[] = [];
  const empty: string[] = [];
  for (const kind of SINGLES) {
    const failed = await queues.connection.zrange(
      queues[kind].toKey('failed'),
      '0',
      String(max - 1),
      'WITHSCORES',
    );
    for (let index = 0; index < failed.length; index += 2) {
      const [jobId = '', finishedOn = '0'] = failed.slice(index, index + 2);
      const text = await queues.connection.get(doneKey(prefix, source, jobId));
      if (text !== null) {
        jobs.push({ jobId, outcome: decodeOutcome(text), kind });
      } else if (now() - Number(finishedOn) > FAILED_GRACE_MS) {
        log.error({ source, jobId }, 'the result of a job was refused and is gone; its file is queued again');
        empty.push(jobId);
      }
    }
  }
  return { jobs, empty };
}
