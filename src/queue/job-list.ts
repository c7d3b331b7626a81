import type { Queue } from 'bullmq';

export type QueuedState = 'waiting' | 'active' | 'delayed' | 'finished';

const STATES = {
  wait: 'waiting',
  prioritized: 'waiting',
  active: 'active',
  delayed: 'delayed',
  completed: 'finished',
  failed: 'finished',
} as const satisfies Record<string, QueuedState>;

export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  /** Finished, not yet recorded. */
  readonly finished: number;
}

/** Of those that went ahead of the line so many are looked at in one round trip. */
const AHEAD_PAGE = 150;

/** BullMQ's names of them. */
const BULLMQ_STATES = Object.keys(STATES) as readonly (keyof typeof STATES)[];

/**
 * Every job of a queue and its state, as Redis held them at one moment. All lists are read whole, by one script of
 * BullMQ's: jobs go from one list to another all the time, and one that moves between two reads would be in neither.
 * Left to its defaults BullMQ's `getRanges` reads two ids of each list (`start = 0, end = 1`).
 */
export async function jobStates(queue: Queue): Promise<Map<string, QueuedState>> {
  const lists = await queue.getBackend().getRanges([...BULLMQ_STATES], 0, -1);
  const states = new Map<string, QueuedState>();
  for (const [index, state] of BULLMQ_STATES.entries())
    for (const jobId of lists[index] ?? []) states.set(jobId, STATES[state]);
  return states;
}

/** How many there are of each, at one moment; costs Redis nothing. */
export async function jobCounts(queue: Queue): Promise<QueueCounts> {
  const counts = { waiting: 0, active: 0, delayed: 0, finished: 0 };
  for (const [state, count] of Object.entries(await queue.getJobCounts(...BULLMQ_STATES)))
    counts[STATES[state as keyof typeof STATES]] += count;
  return counts;
}

/** ISO time the oldest waiting job was queued; null when none waits. */
export async function oldestWaiting(queue: Queue): Promise<string | null> {
  const [first] = await queue.getWaiting(0, 0);
  let oldestMs = first?.timestamp ?? Number.POSITIVE_INFINITY;
  // The head of the line is the oldest in it; before it stand, in no order, those that went ahead.
  let ahead = first?.opts.lifo === true;
  for (let start = 1; ahead; start += AHEAD_PAGE) {
    const page = await queue.getWaiting(start, start + AHEAD_PAGE - 1);
    for (const { timestamp } of page) oldestMs = Math.min(oldestMs, timestamp);
    ahead = page.length > 0 && page.every(({ opts }) => opts.lifo === true);
  }
  return first === undefined ? null : new Date(oldestMs).toISOString();
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
