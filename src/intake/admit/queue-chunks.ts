import { setTimeout as delay } from 'node:timers/promises';
import { reasonOf } from '../../domain/errors.ts';
import type { Arrival, Lane } from '../../domain/lane.ts';
import type { Log } from '../../domain/log.ts';
import { newUploadJob } from '../../domain/upload-job.ts';
import { fullJitterMs } from '../../pacing/backoff.ts';
import { createMutex } from '../../platform/waiting/mutex.ts';
import type { AdmissionPorts, AdmittedJob } from '../ports.ts';
import { isOnDisk, type UploadCandidate } from './candidate.ts';

/** Measured best chunk for adding to the queue. */
const MAX_CHUNK = 100;
/** A chunk waits until all of it fits: with one as large as the room, half the room would often stand empty. */
const CHUNK_SHARE = 4;
/** After a longer wait the file may have changed or gone: it is looked at again before it becomes a job. */
const STALE_MS = 1_000;
const ENQUEUE_RETRY = { baseDelayMs: 200, maxDelayMs: 5_000 } as const;

/** How many jobs go into the queue at once; at least 1. */
export function chunkSizeOf(maxPending: number): number {
  return Math.min(MAX_CHUNK, Math.max(1, Math.floor(maxPending / CHUNK_SHARE)));
}

export interface Patience {
  readonly source: string;
  readonly log: Log;
  readonly random: () => number;
}

/**
 * Asks the queue again until it takes a chunk. Rejects only when the signal fires.
 * @param admit one attempt; a mutex that it takes is free again between two of them, so the recorder goes on meanwhile
 */
export async function untilQueued<T>(
  admit: () => Promise<T>,
  { source, log, random }: Patience,
  signal: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const admitted = await admit();
      if (attempt > 1) log.info({ source, attempts: attempt }, 'the queue takes jobs again');
      return admitted;
    } catch (error) {
      signal.throwIfAborted();
      if (attempt === 1)
        log.warn({ source, reason: reasonOf(error) }, 'the queue takes no jobs; trying again');
      await delay(fullJitterMs(attempt, ENQUEUE_RETRY, random), undefined, { signal });
    }
  }
}

export interface QueueEntryOptions extends Patience {
  /** The batch that the jobs belong to; null: none. */
  readonly batch: string | null;
  /** `queue.maxPending`. */
  readonly maxPending: number;
  /** What a candidate needs by now, in the mutex of the source: somebody may have queued or recorded it. null: nothing. */
  readonly stillNeeded: (candidate: UploadCandidate) => UploadCandidate | null;
  /** Keeps those that lie there exactly as seen; asked after a long wait for room. */
  readonly stillThere: (candidates: readonly UploadCandidate[]) => Promise<readonly UploadCandidate[]>;
  /** They are in the queue. */
  readonly queued: (candidates: readonly UploadCandidate[]) => void;
  /** What was unpacked for these is needed no more: no job of theirs is in the queue. */
  readonly release: (jobIds: readonly string[]) => Promise<void>;
  /** Monotonic. */
  readonly nowMs: () => number;
}

/** The way into the queue, with back-pressure (G3). */
export interface QueueEntry {
  /**
   * Resolves when they are in the queue, or nothing is needed any more; rejects only when the signal fires.
   * @param candidates all of one kind of arrival
   * @param passed told of each chunk of them that is through
   */
  add(
    candidates: readonly UploadCandidate[],
    passed: (candidates: readonly UploadCandidate[]) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

/** Nothing on its way. */
export function createQueueEntry(options: QueueEntryOptions, ports: AdmissionPorts): QueueEntry {
  const { nowMs } = options;
  const chunkSize = chunkSizeOf(options.maxPending);
  /** One of a kind at a time waits for room: they get it in the order in which they came. */
  const inTurn = { live: createMutex(), backlog: createMutex() };

  /**
   * @param seenMs when they were known to lie there
   * @returns how many of the chunk there was room for, from its beginning
   */
  async function admit(
    chunk: readonly UploadCandidate[],
    arrival: Arrival,
    seenMs: number,
    signal: AbortSignal,
  ): Promise<number> {
    signal.throwIfAborted();
    const room = await ports.waitForRoom(chunk.length, arrival, signal);
    try {
      const granted = chunk.slice(0, room.count);
      const there = nowMs() - seenMs > STALE_MS ? await options.stillThere(granted) : granted;
      await enqueue(there, room.place, options, ports);
    } finally {
      room.free();
    }
    return room.count;
  }

  return {
    async add(candidates, passed, signal) {
      const arrival = candidates[0]?.arrival ?? 'backlog';
      // Of all of them: the last may have waited for every one before it.
      const seenMs = nowMs();
      for (let start = 0; start < candidates.length; ) {
        const chunk = candidates.slice(start, start + chunkSize);
        const count = await inTurn[arrival](() =>
          untilQueued(() => admit(chunk, arrival, seenMs, signal), options, signal),
        );
        passed(chunk.slice(0, count));
        start += count;
      }
    },
  };
}

async function enqueue(
  candidates: readonly UploadCandidate[],
  lane: Lane,
  options: QueueEntryOptions,
  ports: AdmissionPorts,
): Promise<void> {
  const attached = await ports.attached?.(candidates.map(({ version }) => version));
  const needless = await ports.exclusive(async () => {
    // Asked again: somebody may have queued or recorded one while this waited.
    const needed = candidates.flatMap((before, index) => {
      const candidate = options.stillNeeded(before);
      return candidate === null ? [] : [{ candidate, meta: attached?.[index] }];
    });
    const jobs = needed.map(({ candidate, meta }) => ({ ...jobOf(candidate, options.batch, ports), meta }));
    if (jobs.length > 0) await ports.enqueue(jobs, lane);
    // Only now: what the queue refuses is offered to it again.
    options.queued(needed.map(({ candidate }) => candidate));
    return candidates.filter(({ jobId }) => !ports.isPending(jobId));
  });
  await options.release(needless.map(({ jobId }) => jobId));
}

function jobOf(candidate: UploadCandidate, batch: string | null, { uploads }: AdmissionPorts): AdmittedJob {
  const { jobId, id, version, sight, arrival, ruling } = candidate;
  const job = newUploadJob(version, ruling.gen, batch, { sight, arrival });
  if (!isOnDisk(candidate)) return { jobId, id, job: { ...job, spooled: true } };
  uploads.remember(jobId, candidate.file);
  return { jobId, id, job };
}
