import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { decodeCarrier } from './carrier.ts';
import type { SourceQueues } from './source-queues.ts';

export type QueuedState = 'waiting' | 'active' | 'delayed' | 'finished';

/** Where the job of a file stands. */
export interface JobPlace {
  readonly state: QueuedState;
  /** The carrier it travels in; null: it is a job of its own. */
  readonly carrier: string | null;
}

const STATES = {
  wait: 'waiting',
  prioritized: 'waiting',
  active: 'active',
  delayed: 'delayed',
  completed: 'finished',
  failed: 'finished',
} as const satisfies Record<string, QueuedState>;

/** Of files that are jobs of their own; of carriers only how many there are. */
export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  /** Finished, not yet recorded. */
  readonly finished: number;
  readonly carriers: number;
}

/** Of those that went ahead of the line so many are looked at in one round trip. */
const AHEAD_PAGE = 150;
/** Carriers that are read in one round trip: some three megabytes. */
const CARRIER_PAGE = 500;

/** BullMQ's names of them. */
const BULLMQ_STATES = Object.keys(STATES) as readonly (keyof typeof STATES)[];

/**
 * Every job of a queue and its state, as Redis held them at one moment. All lists are read whole, by one script of
 * BullMQ's: jobs go from one list to another all the time, and one that moves between two reads would be in neither.
 * Left to its defaults BullMQ's `getRanges` reads two ids of each list (`start = 0, end = 1`). Rule oneRead.
 */
export async function jobStates(queue: Queue): Promise<Map<string, QueuedState>> {
  const lists = await queue.getBackend().getRanges([...BULLMQ_STATES], 0, -1);
  const states = new Map<string, QueuedState>();
  for (const [index, state] of BULLMQ_STATES.entries())
    for (const jobId of lists[index] ?? []) states.set(jobId, STATES[state]);
  return states;
}

/**
 * Every file in the queues of a source. A file that travels in a carrier and is a job of its own as well is the job's
 * (rule singleWins). Carriers are read first: a file that leaves one for a job of its own is then seen in either.
 */
export async function filePlaces(queues: SourceQueues): Promise<Map<string, JobPlace>> {
  const carried = new Map<string, JobPlace>();
  const carriers = [...(await jobStates(queues.carriers))];
  for (let start = 0; start < carriers.length; start += CARRIER_PAGE) {
    const page = carriers.slice(start, start + CARRIER_PAGE);
    const ids = page.map(([id]) => id);
    const jobs = await readJobs(queues.carriers, queues.connection, ids);
    for (const [index, fields] of jobs.entries()) {
      const [carrier, state] = page[index] ?? [];
      if (carrier === undefined || state === undefined) continue;
      for (const { jobId } of decodeCarrier(fields.data) ?? []) carried.set(jobId, { state, carrier });
    }
  }
  const places = new Map<string, JobPlace>();
  for (const queue of [queues.backlog, queues.live])
    for (const [jobId, state] of await jobStates(queue)) places.set(jobId, { state, carrier: null });
  for (const [jobId, place] of carried) if (!places.has(jobId)) places.set(jobId, place);
  return places;
}

/** What a job carries and when it was queued; null where nothing is left of it. */
export interface JobFields {
  readonly data: unknown;
  readonly queuedAtMs: number;
}

/** In their order, in one round trip. */
export async function readJobs(
  queue: Queue,
  connection: Redis,
  jobIds: readonly string[],
): Promise<JobFields[]> {
  const pipeline = connection.pipeline();
  for (const jobId of jobIds) pipeline.hmget(queue.toKey(jobId), 'data', 'timestamp');
  const answers = (await pipeline.exec()) ?? [];
  return answers.map(([error, fields]) => {
    if (error !== null) throw error;
    const [data, timestamp] = fields as [string | null, string | null];
    return { data: parsed(data), queuedAtMs: Number(timestamp) };
  });
}

function parsed(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** How many there are of each, at one moment; costs Redis nothing. */
export async function jobCounts({ live, backlog, carriers }: SourceQueues): Promise<QueueCounts> {
  const counts = { waiting: 0, active: 0, delayed: 0, finished: 0, carriers: 0 };
  const [carried, ...singles] = await Promise.all(
    [carriers, live, backlog].map((queue) => queue.getJobCounts(...BULLMQ_STATES)),
  );
  for (const single of singles)
    for (const [state, count] of Object.entries(single))
      counts[STATES[state as keyof typeof STATES]] += count;
  for (const count of Object.values(carried ?? {})) counts.carriers += count;
  return counts;
}

/** ISO time the oldest waiting job was queued; null when none waits. */
export async function oldestWaiting({ live, backlog, carriers }: SourceQueues): Promise<string | null> {
  const times = await Promise.all([live, backlog, carriers].map(oldestOf));
  const oldestMs = Math.min(...times);
  return Number.isFinite(oldestMs) ? new Date(oldestMs).toISOString() : null;
}

async function oldestOf(queue: Queue): Promise<number> {
  const [first] = await queue.getWaiting(0, 0);
  let oldestMs = first?.timestamp ?? Number.POSITIVE_INFINITY;
  // The head of the line is the oldest in it; before it stand, in no order, those that went ahead.
  let ahead = first?.opts.lifo === true;
  for (let start = 1; ahead; start += AHEAD_PAGE) {
    const page = await queue.getWaiting(start, start + AHEAD_PAGE - 1);
    for (const { timestamp } of page) oldestMs = Math.min(oldestMs, timestamp);
    ahead = page.length > 0 && page.every(({ opts }) => opts.lifo === true);
  }
  return oldestMs;
}

/** In flight at once: a script each, which looks for the job in every list. */
const REMOVE_CHUNK = 100;

/** Removes jobs in whatever state. @returns those that a worker holds: they stay */
export async function removeJobs(queue: Queue, jobIds: readonly string[]): Promise<string[]> {
  const held: string[] = [];
  for (let start = 0; start < jobIds.length; start += REMOVE_CHUNK) {
    const chunk = jobIds.slice(start, start + REMOVE_CHUNK);
    const removed = await Promise.all(chunk.map((jobId) => queue.remove(jobId, { removeChildren: false })));
    held.push(...chunk.filter((_, index) => removed[index] === 0));
  }
  return held;
}
