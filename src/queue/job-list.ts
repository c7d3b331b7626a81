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

/** BullMQ's names of them. */
export const BULLMQ_STATES = Object.keys(STATES) as readonly (keyof typeof STATES)[];

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
