import { reasonOf } from '../../domain/errors.ts';
import { type FileVersion, fileVersionId } from '../../domain/file-version.ts';
import type { Arrival, Lane } from '../../domain/lane.ts';
import type { Log } from '../../domain/log.ts';
import type { Outcome } from '../../domain/receipt.ts';
import type { SeenTimes } from '../../domain/sight.ts';
import { jobIdOf, newUploadJob } from '../../domain/upload-job.ts';
import { createMutex } from '../../platform/waiting/mutex.ts';
import type { AdmissionPorts, AdmittedJob } from '../ports.ts';
import type { SeenFile } from '../scan/seen-file.ts';
import { attachTo } from './attach-to.ts';
import { decide, isLimitSkip, type Rules } from './decision.ts';
import { type Candidate, createInFlight, type OpenVersion, type UploadCandidate } from './in-flight.ts';
import { refusedOutcome } from './jobless-outcome.ts';
import { chunkSizeOf, type Patience, untilQueued } from './queue-chunks.ts';
import { createRecordWithoutJob } from './record-without-job.ts';
import type { Reuse, ReuseEnds } from './reuse.ts';

/** After a longer wait the file may have changed or gone: it is looked at again before it becomes a job. */
const STALE_MS = 1_000;

export interface AdmissionOptions {
  readonly source: string;
  readonly destination: string;
  /** `queue.maxPending`. */
  readonly maxPending: number;
  /** What decides now whether a file is sent. */
  readonly rules: Rules;
  /** Looks for uploads that may stand for files; null: everything is sent. */
  readonly openReuse: ((ends: ReuseEnds) => Reuse) | null;
  /** Keeps those that are on disk exactly as seen; the others are for the file checker. */
  readonly unchanged: (files: readonly SeenFile[]) => Promise<readonly SeenFile[]>;
  /** Leaves out what only its content shows to be Slipway's own. */
  readonly withoutOwn: (files: readonly SeenFile[]) => Promise<readonly SeenFile[]>;
  readonly log: Log;
  /** Monotonic. */
  readonly nowMs: () => number;
  /** Since the epoch. */
  readonly wallMs: () => number;
  readonly random: () => number;
}

/** Some that wait for room together. */
interface Chunk {
  readonly chunk: readonly UploadCandidate[];
  readonly arrival: Arrival;
  /** When they were known to lie there; monotonic. */
  readonly seenMs: number;
}

/** Settled file versions become jobs, or receipts, once each (G1), with back-pressure (G3). */
export interface Admission {
  /**
   * Takes a settled file, seen on disk just now. One that is recorded or pending costs nothing more.
   * @returns whether it needs a receipt that it has not got
   */
  offer(file: SeenFile, sight: SeenTimes, arrival: Arrival): boolean;
  /** Whether anything was offered since the last flush began. */
  waits(arrival: Arrival): boolean;
  /**
   * Makes jobs of everything offered that needs one; ends when they are in the queue. What gets its receipt here, or is
   * read first, is only on its way then: see `passed`. Rejects only when the signal fires. The live ones and the found
   * ones hold up only their own kind.
   */
  flush(arrival: Arrival, signal: AbortSignal): Promise<void>;
  /** The same for all, for whoever a flush may itself wait for. */
  flushSoon(signal: AbortSignal): void;
  /** Resolves when everything offered so far is in the queue or recorded; rejects when the signal fires. */
  passed(signal: AbortSignal): Promise<void>;
  /** Files offered that are neither in the queue nor recorded yet. */
  inHand(): Iterable<OpenVersion>;
  /** Jobs queued since the start. */
  admitted(): number;
}

/** Nothing offered yet. */
export function createAdmission(options: AdmissionOptions, ports: AdmissionPorts): Admission {
  const { source, destination, maxPending, rules, log, nowMs, wallMs, random } = options;
  const chunkSize = chunkSizeOf(maxPending);
  const open = createInFlight();
  const settling = createRecordWithoutJob<Candidate>({
    record: async (outcomes) => await ports.settle(await attachTo(outcomes, ports.attached)),
    done: open.done,
    log,
  });
  /** One of a kind at a time waits for room: they get it in the order in which they came. */
  const inTurn = { live: createMutex(), backlog: createMutex() };
  /** Sent because limits had changed. A worker that knows other limits skips it again, and that is the end of it. */
  const rejudged = new Set<string>();
  const offered: Record<Arrival, Candidate[]> = { live: [], backlog: [] };
  let admitted = 0;

  const reuse =
    options.openReuse?.({
      async send(needs, signal) {
        await queue(needs, signal);
        // What was found changed on the way is offered anew, outside the turns of the loop.
        flushSoon(signal);
      },
      settle: settleReused,
      dropped: (need) => open.done([need]),
    }) ?? null;

  /** What this file still needs; null when it is recorded or pending. */
  function needOf(file: SeenFile, sight: SeenTimes, arrival: Arrival): Candidate | null {
    const { name, size, mtimeNs } = file;
    const version: FileVersion = { source, destination, ...name, size, mtimeNs };
    return needNow({ id: fileVersionId(version), version, file, sight, arrival });
  }

  /** As `needOf`, of a file whose id is known. */
  function needNow(
    known: Pick<Candidate, 'id' | 'version' | 'file' | 'sight' | 'arrival'>,
  ): Candidate | null {
    const { id, version, file, sight, arrival } = known;
    const recorded = ports.recorded(id);
    const ruling = decide(file, recorded, rules);
    if (ruling.kind === 'nothing') return null;
    const unlimited = isLimitSkip(recorded) && recorded?.again === false;
    if (unlimited && rejudged.has(id)) return null;
    const jobId = jobIdOf(id, ruling.gen);
    if (!ports.isPending(jobId)) return { jobId, id, version, file, sight, arrival, ruling, unlimited };
    // After a restart nobody else knows which file on disk it is.
    ports.uploads.remember(jobId, file);
    return null;
  }

  /** @returns how many of the chunk there was room for, from its beginning */
  async function admit({ chunk, arrival, seenMs }: Chunk, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const room = await ports.waitForRoom(chunk.length, arrival, signal);
    try {
      const granted = chunk.slice(0, room.count);
      const there = nowMs() - seenMs > STALE_MS ? await stillThere(granted) : granted;
      await enqueue(there, room.place);
    } finally {
      room.free();
    }
    return room.count;
  }

  async function enqueue(there: readonly UploadCandidate[], place: Lane): Promise<void> {
    const attached = await ports.attached?.(there.map(({ file }) => file.name));
    await ports.exclusive(async () => {
      // Asked again: the recorder may have committed one while this waited.
      const queued: Candidate[] = [];
      const jobs = there.flatMap((before, index) => {
        const need = needNow(before);
        if (need?.ruling.kind !== 'upload') return [];
        queued.push(need);
        return [{ ...jobOf(need), meta: attached?.[index] }];
      });
      if (jobs.length > 0) await ports.enqueue(jobs, place);
      // Only now: what the queue refuses is offered to it again.
      for (const { id, unlimited } of queued) if (unlimited) rejudged.add(id);
      admitted += jobs.length;
    });
  }

  async function stillThere(needs: readonly UploadCandidate[]): Promise<readonly UploadCandidate[]> {
    const same = new Set(await options.unchanged(needs.map(({ file }) => file)));
    return needs.filter(({ file }) => same.has(file));
  }

  function jobOf({ jobId, id, version, file, sight, arrival, ruling }: Candidate): AdmittedJob {
    ports.uploads.remember(jobId, file);
    return { jobId, id, job: newUploadJob(version, ruling.gen, null, { sight, arrival }) };
  }

  const patience: Patience = {
    ...{ source, log, random },
    recovered: (attempts) => log.info({ source, attempts }, 'the queue takes jobs again'),
  };

  /** @param needs all of one kind */
  async function queue(needs: readonly UploadCandidate[], signal: AbortSignal): Promise<void> {
    const arrival = needs[0]?.arrival ?? 'backlog';
    // Of all of them: the last may have waited for every one before it.
    const seenMs = nowMs();
    for (let start = 0; start < needs.length; ) {
      const chunk = needs.slice(start, start + chunkSize);
      const count = await inTurn[arrival](() =>
        untilQueued(() => admit({ chunk, arrival, seenMs }, signal), patience, signal),
      );
      open.done(chunk.slice(0, count));
      start += count;
    }
  }

  async function settleReused(
    receipts: readonly { need: Candidate; outcome: Outcome }[],
    signal: AbortSignal,
  ) {
    for (const { need } of receipts) ports.uploads.remember(need.jobId, need.file);
    await settling.settle(receipts, signal);
  }

  /** Without the receipts that Slipway wrote itself. */
  async function notOwn(needs: readonly Candidate[]): Promise<readonly Candidate[]> {
    const theirs = new Set(await options.withoutOwn(needs.map(({ file }) => file)));
    if (theirs.size === needs.length) return needs;
    open.done(needs.filter(({ file }) => !theirs.has(file)));
    return needs.filter(({ file }) => theirs.has(file));
  }

  /** The story of a chunk: refused by us, uploaded before, or to be sent. */
  async function dispatch(found: readonly Candidate[], signal: AbortSignal): Promise<void> {
    const needs = await notOwn(found);
    const refused = needs.flatMap((need) => {
      const { version, ruling, sight } = need;
      if (ruling.kind === 'upload') return [];
      return [{ need, outcome: refusedOutcome(version, ruling, { sight, nowMs: wallMs() }) }];
    });
    await settling.settle(refused, signal);
    const uploads = needs.filter(isUpload);
    await queue(reuse === null ? uploads : await reuse.rest(uploads, signal), signal);
  }

  async function flush(arrival: Arrival, signal: AbortSignal): Promise<void> {
    // Again while there is any: what changed during the wait for room is offered anew.
    while (offered[arrival].length > 0) {
      const needs = offered[arrival];
      offered[arrival] = [];
      try {
        await dispatch(needs, signal);
      } catch (error) {
        // Found again by the next scan, which could not take up what is still in hand.
        open.done(needs);
        throw error;
      }
    }
  }

  function flushSoon(signal: AbortSignal): void {
    for (const arrival of ['live', 'backlog'] as const)
      flush(arrival, signal).catch((error: unknown) => {
        if (signal.aborted) return;
        log.error(
          { source, reason: reasonOf(error) },
          'files were not queued; the next comparison finds them',
        );
      });
  }

  return {
    offer(file, sight, arrival) {
      const need = needOf(file, sight, arrival);
      if (need === null) return false;
      if (open.add(need)) offered[arrival].push(need);
      return true;
    },
    waits: (arrival) => offered[arrival].length > 0,
    flush,
    flushSoon,
    passed: open.passed,
    inHand: open.all,
    admitted: () => admitted,
  };
}

function isUpload(need: Candidate): need is UploadCandidate {
  return need.ruling.kind === 'upload';
}
