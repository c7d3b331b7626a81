import { setTimeout as delay } from 'node:timers/promises';
import { ERRORS, errorMessage, reasonOf, SlipwayError } from '../domain/errors.ts';
import { type FileVersion, fileVersionId } from '../domain/file-version.ts';
import type { Log } from '../domain/log.ts';
import type { PathName } from '../domain/path-bytes.ts';
import type { Outcome } from '../domain/receipt.ts';
import { atFirstSight, type Sight } from '../domain/sight.ts';
import { type UnsentReason, unsentOutcome } from '../domain/unsent-outcome.ts';
import { jobIdOf, newUploadJob } from '../domain/upload-job.ts';
import { fullJitterMs } from '../pacing/backoff.ts';
import { formatBytes } from '../platform/units.ts';
import type { Spool } from './archives/spool.ts';
import { attachTo } from './attach-to.ts';
import type { BatchSink } from './batch-sink.ts';
import { refusedOutcome } from './own-outcome.ts';
import type { AdmissionPorts, AdmittedJob, RecordedVersion, Room } from './ports.ts';
import { type Rules, type Ruling, ruleOn } from './ruling.ts';

export interface BatchPorts extends AdmissionPorts {
  /** These belong to the batch; durable when it returns. */
  members(found: readonly { readonly id: string; readonly gen: number }[]): void;
}

export interface BatchAdmissionOptions {
  readonly source: string;
  readonly destination: string;
  readonly batch: string;
  /** `queue.maxPending`. */
  readonly maxPending: number;
  /** What decides, besides the ledger, whether a file is sent. */
  readonly rules: Rules;
  readonly spool: Spool;
  readonly log: Log;
  readonly now: () => { readonly wallMs: number; readonly monotonicMs: number };
  readonly random: () => number;
}

/** What is found for a batch becomes its members, and jobs of those that have no receipt yet. */
export interface BatchAdmission extends BatchSink {
  /** Until it returns, some of what was taken may be known to nobody. */
  flush(signal: AbortSignal): Promise<void>;
}

/** Measured best chunk for adding to the queue. */
const MAX_CHUNK = 100;
/** Entries are gathered for so long: a worker need not wait for a hundred large ones. */
const MAX_GATHER_MS = 200;
const ENQUEUE_RETRY = { baseDelayMs: 200, maxDelayMs: 5_000 } as const;

export function createBatchAdmission(options: BatchAdmissionOptions, ports: BatchPorts): BatchAdmission {
  const { source, destination, batch, spool, log, now } = options;
  const chunkSize = Math.min(MAX_CHUNK, Math.max(1, Math.floor(options.maxPending / 4)));
  let members = new Map<string, { id: string; gen: number }>();
  let ready = new Map<string, AdmittedJob>();
  let unsent: Outcome[] = [];
  let gatheringSinceMs = 0;

  /** Notes it as a member; null when it has its receipt, or gets one here. */
  function noted(version: FileVersion, sight: Sight): AdmittedJob | null {
    const id = fileVersionId(version);
    const recorded = ports.recorded(id);
    const ruling = rulingOn(version, recorded);
    const gen = ruling.kind === 'nothing' ? (recorded?.gen ?? 0) : ruling.gen;
    if (members.size === 0) gatheringSinceMs = now().monotonicMs;
    members.set(id, { id, gen });
    if (ruling.kind === 'upload')
      return { jobId: jobIdOf(id, gen), id, job: newUploadJob(version, gen, batch, { sight }) };
    if (ruling.kind !== 'nothing') {
      const times = { sight, nowMs: now().wallMs };
      unsent.push({ ...refusedOutcome(version, ruling, times), batch });
    }
    return null;
  }

  function rulingOn({ path, size }: FileVersion, recorded: RecordedVersion | null): Ruling {
    // Whoever names a file means it, whenever it got there.
    return ruleOn({ name: { path }, size, ctimeMs: Number.POSITIVE_INFINITY }, recorded, options.rules);
  }

  async function flushIfDue(signal: AbortSignal): Promise<void> {
    const waitedMs = now().monotonicMs - gatheringSinceMs;
    if (members.size >= MAX_CHUNK || (members.size > 0 && waitedMs > MAX_GATHER_MS)) await flush(signal);
  }

  async function flush(signal: AbortSignal): Promise<void> {
    ports.members([...members.values()]);
    members = new Map();
    const outcomes = unsent;
    unsent = [];
    await ports.settle(await attachTo(outcomes, ports.attached));
    const jobs = [...ready.values()];
    ready = new Map();
    for (let start = 0; start < jobs.length; start += chunkSize)
      await admitInTheEnd(jobs.slice(start, start + chunkSize), signal);
  }

  async function admit(jobs: readonly AdmittedJob[], signal: AbortSignal): Promise<void> {
    const room = await ports.waitForRoom(jobs.length, 'found', signal);
    try {
      await admitInto(room, jobs);
    } finally {
      room.free();
    }
  }

  async function admitInto({ place }: Room, jobs: readonly AdmittedJob[]): Promise<void> {
    const attached = await ports.attached?.(jobs.map(({ job }) => job));
    const withMeta = jobs.map((job, index) => ({ ...job, meta: attached?.[index] }));
    const needless = await ports.exclusive(async () => {
      // Asked again: somebody may have queued or recorded one while this waited.
      const isNeeded = ({ id, job }: AdmittedJob): boolean => {
        const ruling = rulingOn({ ...job, destination }, ports.recorded(id));
        return ruling.kind === 'upload' && ruling.gen === job.gen;
      };
      const needed = withMeta.filter((job) => isNeeded(job) && !ports.isPending(job.jobId));
      if (needed.length > 0) await ports.enqueue(needed, place);
      return jobs.filter((job) => !isNeeded(job));
    });
    await spool.release(needless.map(({ jobId }) => jobId));
  }

  async function admitInTheEnd(jobs: readonly AdmittedJob[], signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await admit(jobs, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (attempt === 1)
          log.warn({ source, reason: reasonOf(error) }, 'the queue takes no jobs; trying again');
        await delay(fullJitterMs(attempt, ENQUEUE_RETRY, options.random), undefined, { signal });
      }
    }
  }

  function settleUnsent(version: FileVersion, gen: number, sight: Sight, reason: UnsentReason): void {
    unsent.push(unsentOutcome(version, reason, { gen, batch, sight, nowMs: now().wallMs }));
  }

  return {
    flush,

    async files(files, signal) {
      for (const file of files) {
        const { name, size, mtimeNs, sight } = file;
        const job = noted({ source, destination, ...name, size, mtimeNs }, sight);
        if (job !== null) ports.uploads.remember(job.jobId, file);
        if (job !== null && !ports.isPending(job.jobId)) ready.set(job.jobId, job);
      }
      await flushIfDue(signal);
    },

    async entry(name: PathName, entry, signal) {
      const { size, mtimeNs } = entry;
      const version: FileVersion = { source, destination, ...name, size, mtimeNs };
      const sight = atFirstSight(now().wallMs);
      const found = noted(version, sight);
      if (found === null) return await flushIfDue(signal);
      const { jobId, job } = found;
      if (ports.isPending(jobId) && spool.has(jobId, size)) return await flushIfDue(signal);
      if (size > spool.maxBytes) {
        settleUnsent(version, job.gen, sight, tooLarge(size, spool.maxBytes));
        return await flushIfDue(signal);
      }
      // What is gathered holds room in the spool that only a recorded upload gives back.
      if (!spool.fits(size)) await flush(signal);
      try {
        await spool.put(jobId, entry, signal);
        ready.set(jobId, { ...found, job: { ...job, spooled: true } });
      } catch (error) {
        if (!(error instanceof SlipwayError) || error.code !== 'archive_entry_broken') throw error;
        const { code, kind, message } = error;
        settleUnsent(version, job.gen, sight, { status: 'failed', code, kind, message });
      }
      await flushIfDue(signal);
    },

    async refused(name, { size, mtimeNs }, { code, details }, signal) {
      const version: FileVersion = { source, destination, ...name, size, mtimeNs };
      const sight = atFirstSight(now().wallMs);
      const found = noted(version, sight);
      const message = errorMessage(code, details);
      if (found !== null)
        settleUnsent(version, found.job.gen, sight, {
          status: 'failed',
          code,
          kind: ERRORS[code].kind,
          message,
        });
      await flushIfDue(signal);
    },
  };
}

function tooLarge(size: number, maxBytes: number): UnsentReason {
  const message = `${formatBytes(size)} does not fit into the spool (${formatBytes(maxBytes)}): raise spool.maxBytes, or unpack the archive and ingest the folder`;
  return { status: 'skipped', code: 'too_large', kind: 'skipped', message };
}
