import { setTimeout as pause } from 'node:timers/promises';
import { reasonOf } from '../../domain/errors.ts';
import { fileVersionId } from '../../domain/file-version.ts';
import type { Log } from '../../domain/log.ts';
import { jobIdOf, newUploadJob, type UploadJob } from '../../domain/upload-job.ts';
import type { PendingJobs } from '../../intake/admit/pending-jobs.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import {
  type AcceptedFile,
  type AcceptedFiles,
  type AcceptedPlace,
  acceptedVersion,
} from '../../ledger/tables/accepted-files.ts';
import type { Exclusive } from '../../platform/waiting/mutex.ts';
import { createWaker } from '../../platform/waiting/waker.ts';
import type { ReceivedQueue } from './received-queue.ts';

export interface AcceptedFeedOptions {
  readonly accepted: AcceptedFiles;
  readonly ledger: Pick<Ledger, 'find'>;
  readonly pending: PendingJobs;
  /** Rejects while Redis is away. */
  readonly queue: Pick<ReceivedQueue, 'add'>;
  /** Destinations that have a queue here. */
  readonly destinations: ReadonlySet<string>;
  readonly exclusive: Exclusive;
  readonly log: Log;
}

/** Brings accepted files into the queue, in the order in which they came and as far as there is room (G3). */
export interface AcceptedFeed {
  /** There is more of them. */
  wake(): void;
  /** Some may have been lost, or are to go again: looks through all of them. */
  again(): void;
  close(): Promise<void>;
}

const CHUNK = 100;
const AFTER_ERROR_MS = 500;

export function startAcceptedFeed(options: AcceptedFeedOptions): AcceptedFeed {
  const { accepted, log } = options;
  const waker = createWaker();
  const stopping = new AbortController();
  let place: AcceptedPlace | null = null;
  let troubled = false;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const page = accepted.after(place, CHUNK);
      if (page.length === 0) await waker.sleep(null);
      else await pass(page);
    }
  }

  async function pass(page: readonly { file: AcceptedFile; place: AcceptedPlace }[]): Promise<void> {
    const before = place;
    try {
      // Moved on first: whoever says `again` meanwhile begins anew.
      place = page.at(-1)?.place ?? null;
      await queueThem(
        page.map(({ file }) => file),
        options,
        stopping.signal,
      );
      if (troubled) log.info({}, 'the queue of the gateway takes files again');
      troubled = false;
    } catch (error) {
      place = before;
      if (stopping.signal.aborted) return;
      if (!troubled)
        log.warn({ reason: reasonOf(error) }, 'the queue of the gateway takes no files; trying again');
      troubled = true;
      await pause(AFTER_ERROR_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  const running = run();
  return {
    wake: waker.wake,
    again() {
      place = null;
      waker.wake();
    },
    async close() {
      stopping.abort();
      waker.wake();
      await running;
    },
  };
}

async function queueThem(
  files: readonly AcceptedFile[],
  { accepted, ledger, pending, queue, destinations, exclusive }: AcceptedFeedOptions,
  signal: AbortSignal,
): Promise<void> {
  const isNeeded = (file: AcceptedFile): boolean => {
    const id = fileVersionId(acceptedVersion(file));
    return (
      destinations.has(file.destination) &&
      !pending.has(jobIdOf(id, file.gen)) &&
      (ledger.find(id)?.gen ?? -1) < file.gen
    );
  };
  for (let rest = files.filter(isNeeded); rest.length > 0; ) {
    const room = await pending.waitForRoom(rest.length, 'backlog', signal);
    try {
      await exclusive(async () => {
        // Asked again, as it is by now: it may have been recorded, or given up, while this waited.
        const needed = rest
          .slice(0, room.count)
          .flatMap(({ id }) => accepted.find(id) ?? [])
          .filter(isNeeded);
        const jobs = needed.map(jobOf);
        if (jobs.length > 0) await queue.add(jobs);
        pending.add(
          jobs.map(({ jobId }) => jobId),
          room.place,
        );
      });
    } finally {
      room.free();
    }
    rest = rest.slice(room.count);
  }
}

function jobOf(file: AcceptedFile): { readonly jobId: string; readonly job: UploadJob } {
  const version = acceptedVersion(file);
  return { jobId: jobIdOf(fileVersionId(version), file.gen), job: newUploadJob(version, file.gen, null) };
}
