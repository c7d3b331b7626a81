import { setTimeout as delay } from 'node:timers/promises';
import { reasonOf } from '../domain/errors.ts';
import type { FileMeta } from '../domain/file-meta.ts';
import { type FileVersion, fileVersionId } from '../domain/file-version.ts';
import type { Log } from '../domain/log.ts';
import { jobIdOf, newUploadJob } from '../domain/upload-job.ts';
import { fullJitterMs } from '../pacing/backoff.ts';
import type { AdmissionPorts, AdmittedJob, RecordedVersion } from './ports.ts';
import type { SeenFile } from './seen-file.ts';

/** Measured best chunk for adding to the queue. */
const MAX_CHUNK = 100;
/** After a longer wait the file may have changed or gone: it is looked at again before it becomes a job. */
const STALE_MS = 1_000;
const ENQUEUE_RETRY = { baseDelayMs: 200, maxDelayMs: 5_000 } as const;

export interface AdmissionOptions {
  readonly source: string;
  readonly destination: string;
  /** `queue.maxPending`. */
  readonly maxPending: number;
  /** Keeps those that are on disk exactly as seen; the others are for the examiner. */
  readonly unchanged: (files: readonly SeenFile[]) => Promise<readonly SeenFile[]>;
  /** Leaves out what only its content shows to be Slipway's own. */
  readonly withoutOwn: (files: readonly SeenFile[]) => Promise<readonly SeenFile[]>;
  readonly log: Log;
  readonly nowMs: () => number;
  readonly random: () => number;
}

/** Settled file versions become jobs, once each (G1), with back-pressure (G3). */
export interface Admission {
  /**
   * Takes a settled file, seen on disk just now. One that is recorded or pending costs nothing more.
   * @returns whether it needs a job
   */
  offer(file: SeenFile): boolean;
  /** Makes jobs of everything offered; ends when all are in the queue. Rejects only when the signal fires. */
  flush(signal: AbortSignal): Promise<void>;
  /** Jobs queued since the start. */
  admitted(): number;
}

/** Nothing offered yet. */
export function createAdmission(options: AdmissionOptions, ports: AdmissionPorts): Admission {
  const { source, destination, maxPending, log, nowMs, random } = options;
  // A chunk waits until all of it fits: with one as large as the room, half the room would often stand empty.
  const chunkSize = Math.min(MAX_CHUNK, Math.max(1, Math.floor(maxPending / 4)));
  let offered = new Map<string, SeenFile>();
  let admitted = 0;

  /** The job this file still needs; null when it is recorded or pending. */
  function jobFor(file: SeenFile, meta?: FileMeta | null): AdmittedJob | null {
    const { name, size, mtimeNs } = file;
    const version: FileVersion = { source, destination, ...name, size, mtimeNs };
    const id = fileVersionId(version);
    const gen = nextGeneration(ports.recorded(id));
    if (gen === null) return null;
    const jobId = jobIdOf(id, gen);
    return ports.isPending(jobId) ? null : { jobId, id, job: newUploadJob(version, gen, null), meta };
  }

  async function admit(chunk: readonly SeenFile[], signal: AbortSignal): Promise<void> {
    const beganMs = nowMs();
    await ports.waitForRoom(chunk.length, signal);
    const seen = nowMs() - beganMs > STALE_MS ? await options.unchanged(chunk) : chunk;
    const files = await options.withoutOwn(seen);
    const attached = await ports.attached?.(files.map(({ name }) => name));
    await ports.exclusive(async () => {
      // Asked again: the recorder may have committed one while this waited.
      const jobs = files.map((file, index) => jobFor(file, attached?.[index])).filter((job) => job !== null);
      if (jobs.length > 0) await ports.enqueue(jobs);
      admitted += jobs.length;
    });
  }

  async function admitInTheEnd(chunk: readonly SeenFile[], signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await admit(chunk, signal);
        if (attempt > 1) log.info({ source, attempts: attempt }, 'the queue takes jobs again');
        return;
      } catch (error) {
        signal.throwIfAborted();
        // Outside the mutex: the recorder goes on meanwhile.
        if (attempt === 1)
          log.warn({ source, reason: reasonOf(error) }, 'the queue takes no jobs; trying again');
        await delay(fullJitterMs(attempt, ENQUEUE_RETRY, random), undefined, { signal });
      }
    }
  }

  return {
    offer(file) {
      const job = jobFor(file);
      if (job === null) return false;
      offered.set(job.jobId, file);
      return true;
    },
    async flush(signal) {
      // Again while there is any: what changed during the wait for room is offered anew.
      while (offered.size > 0) {
        const files = [...offered.values()];
        offered = new Map();
        for (let start = 0; start < files.length; start += chunkSize) {
          await admitInTheEnd(files.slice(start, start + chunkSize), signal);
        }
      }
    },
    admitted: () => admitted,
  };
}

/**
 * The generation a version on disk needs; null when it needs none. One recorded as vanished or changed lies here after
 * all, exactly as it was: it reappeared (DESIGN §2). One that is to go again was asked for, or had been taken away.
 */
export function nextGeneration(recorded: RecordedVersion | null): number | null {
  if (recorded === null) return 0;
  const reappeared =
    recorded.status === 'skipped' && (recorded.code === 'vanished' || recorded.code === 'changed');
  return recorded.again || reappeared ? recorded.gen + 1 : null;
}
