import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../../domain/log.ts';
import type { PendingJobs } from '../../intake/admit/pending-jobs.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { JobPlace } from '../../queue/job-list.ts';
import { MOMENT_MS } from '../../queue/lock-watch.ts';
import type { UploadQueue } from '../../queue/upload-queue.ts';
import type { FilesInHand } from './files-in-hand.ts';

/** What Redis holds, what its owner believes it holds and has in hand, and what the ledger knows. */
export interface Books {
  readonly source: string;
  readonly queue: Pick<UploadQueue, 'counts' | 'jobs' | 'remove'>;
  readonly pending: Pick<PendingJobs, 'all' | 'has' | 'carrierOf' | 'expected' | 'replace'>;
  readonly inHand: Pick<FilesInHand, 'by'>;
  readonly ledger: Pick<Ledger, 'find'>;
  readonly log: Log;
  /** Told how many are gone, before they are forgotten. */
  readonly onLost: (jobs: number) => void;
  /** Told which were pending and are recorded: what was kept for them is needed no more. Left out: nobody cares. */
  readonly onSettled?: ((jobIds: readonly string[]) => void) | undefined;
  /** Before what is lost may be added again; left out: a second. */
  readonly momentMs?: number;
}

/** What a comparison has found. */
export interface Stock {
  readonly gone: number;
  /** Recorded, and in the hands of a worker. */
  readonly held: number;
}

/** So many look-ups, then others have their turn. */
const SLICE = 1_000;

/** Whether Redis holds fewer jobs than there must be. Under the source's mutex; costs Redis nothing. */
export async function holdsFewer(queue: Books['queue'], pending: Books['pending']): Promise<boolean> {
  const { waiting, active, delayed, finished, carriers } = await queue.counts();
  const expected = pending.expected();
  return waiting + active + delayed + finished < expected.singles || carriers < expected.carriers;
}

/** Brings them to the same state. Under the source's mutex. */
export async function takeStock(books: Books): Promise<Stock> {
  const { source, queue, pending, inHand, ledger, log, onLost, momentMs = MOMENT_MS } = books;
  const there = await queue.jobs();
  // Rules clean, cleanHand. The recorder passes over what has finished and is recorded, carriers over what they find recorded.
  const settled = await inSlices(
    there,
    ([jobId, { state, carrier }]) =>
      carrier === null &&
      state !== 'finished' &&
      (isRecorded(jobId, ledger) || inHand.by(jobId) === 'carrier'),
  );
  const missing = await inSlices(
    [...pending.all()].map((jobId) => [jobId, pending.carrierOf(jobId)] as const),
    ([jobId]) => !there.has(jobId) && !isRecorded(jobId, ledger) && inHand.by(jobId) === null,
  );
  // Of the missing too: where their list was evicted their own keys are left, and keep their ids taken.
  const singles = missing.flatMap(([jobId, carrier]) => (carrier === null ? [jobId] : []));
  const carriers = new Set(missing.flatMap(([, carrier]) => (carrier === null ? [] : [carrier])));
  const held = new Set(await queue.remove([...settled.map(([jobId]) => jobId), ...singles], [...carriers]));
  for (const [jobId] of settled) if (!held.has(jobId)) there.delete(jobId);
  if (settled.length > 0)
    log.info({ source, jobs: settled.length }, 'jobs in Redis are recorded already; they are not sent again');
  // Looked at again: what was in hand a moment ago may be recorded by now.
  const isLost = ([jobId, carrier]: readonly [string, string | null]): boolean =>
    !held.has(carrier ?? jobId) && !isRecorded(jobId, ledger) && inHand.by(jobId) === null;
  const lost = missing.filter(isLost);
  if (lost.length > 0) {
    onLost(lost.length);
    // Whoever took one of them longer ago than that asks before it sends (rule moment).
    await pause(momentMs);
  }
  const before = [...pending.all()];
  pending.replace(afterwards(there, missing, new Set(lost.map(([jobId]) => jobId)), books));
  const left = await inSlices(before, (jobId) => !pending.has(jobId) && isRecorded(jobId, ledger));
  if (left.length > 0) books.onSettled?.(left);
  return { gone: lost.length, held: settled.filter(([jobId]) => held.has(jobId)).length };
}

/** What is pending from now on: what is in Redis, what is still held, what is in hand (rule lookHand). */
function afterwards(
  there: ReadonlyMap<string, JobPlace>,
  missing: readonly (readonly [jobId: string, carrier: string | null])[],
  lost: ReadonlySet<string>,
  { pending, inHand, ledger }: Books,
): Map<string, string | null> {
  const now = new Map<string, string | null>();
  for (const [jobId, { carrier }] of there)
    if (carrier === null || !isRecorded(jobId, ledger)) now.set(jobId, carrier);
  for (const [jobId, carrier] of missing)
    if (!lost.has(jobId) && !isRecorded(jobId, ledger)) now.set(jobId, carrier);
  for (const jobId of pending.all())
    if (!now.has(jobId) && inHand.by(jobId) !== null) now.set(jobId, pending.carrierOf(jobId));
  return now;
}

/** Those of which it is true; the event loop turns in between. */
async function inSlices<T>(items: Iterable<T>, isOne: (item: T) => boolean): Promise<T[]> {
  const found: T[] = [];
  let looked = 0;
  for (const item of items) {
    if (isOne(item)) found.push(item);
    looked += 1;
    if (looked % SLICE === 0) await nextTurn();
  }
  return found;
}

function isRecorded(jobId: string, ledger: Books['ledger']): boolean {
  const [id = '', gen = ''] = jobId.split('-');
  const recorded = ledger.find(id);
  return recorded !== null && recorded.gen >= Number(gen);
}
