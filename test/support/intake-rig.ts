import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Log, silentLog } from '../../src/domain/log.ts';
import type { Outcome } from '../../src/domain/receipt.ts';
import type { UploadJob } from '../../src/domain/upload-job.ts';
import { createContentCheck } from '../../src/intake/admit/content-check.ts';
import type { EarlierUploads } from '../../src/intake/admit/earlier-uploads.ts';
import { createPendingJobs } from '../../src/intake/admit/pending-jobs.ts';
import type { Intake, WatcherOptions } from '../../src/intake/intake.ts';
import type { AdmittedJob, IntakePorts, RecordedVersion } from '../../src/intake/ports.ts';
import { startIntake } from '../../src/intake/watch/watcher.ts';
import { createMutex } from '../../src/platform/waiting/mutex.ts';

export interface IntakeRig extends AsyncDisposable {
  /** The watched folder; exists unless asked otherwise. */
  readonly root: string;
  /** A folder beside it, for files that are moved in. */
  readonly beside: string;
  readonly intake: Intake;
  /** Every job ever enqueued, in order. */
  readonly jobs: UploadJob[];
  /** Every receipt that was made without a job, in order. */
  readonly outcomes: readonly Outcome[];
  /** Paths of those jobs, sorted. */
  paths(): string[];
  /** The most jobs that were ever pending at once. */
  mostPending(): number;
  /** Records everything pending as the given outcome and frees its room. */
  record(outcome?: Omit<RecordedVersion, 'gen'>): void;
  /** Paths of the jobs that went before those that wait, in order. */
  readonly ahead: readonly string[];
  /** Calls of `enqueue`: what would be Redis calls. */
  enqueueCalls(): number;
  /** The next calls of `enqueue` throw this; null ends it. */
  failEnqueue(error: Error | null): void;
  readonly warnings: string[];
  /** Scans at most that a standstill of this process has asked for so far: on a busy machine events may get lost. */
  suspicions(): number;
}

export interface IntakeRigOptions extends Partial<Omit<WatcherOptions, 'root' | 'ownPaths'>> {
  /** False: the root folder does not exist yet. */
  readonly createRoot?: boolean;
  /** Fills the folder before the watcher starts. */
  readonly prepare?: (root: string) => Promise<void> | void;
  /** Names in the root that are Slipway's own. */
  readonly own?: readonly string[];
  /** Uploads and records by itself whatever is queued. */
  readonly autoRecord?: boolean;
  /** Uploads that were recorded earlier; none unless said otherwise. */
  readonly uploads?: Partial<EarlierUploads>;
  /** Compares contents; no unless said otherwise. */
  readonly dedupe?: 'content' | 'version';
  /** While the first pass is not complete: when the source was first started. */
  readonly firstStartMs?: () => number | null;
}

const DEFAULTS = {
  source: 'inbox',
  destination: 'autoglm',
  include: ['**/*'],
  ignore: [],
  settle: 150,
  rescan: 300_000,
  hidden: false,
  polling: false,
  minAge: 0,
  minBytes: null,
  maxBytes: null,
  existing: 'upload',
  limits: null,
  maxPending: 100_000,
} as const;

/** Nothing was uploaded before. */
export const NO_UPLOADS: EarlierUploads = {
  remember() {},
  ofInode: () => null,
  ofContent: () => null,
  standIn: async () => null,
  sha256Of: async () => null,
  untilRecorded: () => new Promise(() => {}),
};

/** A real watcher on a real folder, with a queue and a ledger that live in memory. */
export async function startIntakeRig(options: IntakeRigOptions = {}): Promise<IntakeRig> {
  const { createRoot = true, prepare, own = [], autoRecord = false, ...rest } = options;
  const { uploads: someUploads, dedupe, firstStartMs = () => null, ...given } = rest;
  const uploads = { ...NO_UPLOADS, ...someUploads };
  const base = await mkdtemp(join(tmpdir(), 'slipway-intake-'));
  const [root, beside] = [join(base, 'inbox'), join(base, 'beside')];
  await mkdir(beside);
  if (createRoot) await mkdir(root);
  await prepare?.(root);

  const maxPending = given.maxPending ?? DEFAULTS.maxPending;
  const jobs: UploadJob[] = [];
  const outcomes: Outcome[] = [];
  const pending = new Map<string, AdmittedJob>();
  const recorded = new Map<string, RecordedVersion>();
  const warnings: string[] = [];
  const inRedis = createPendingJobs(maxPending);
  const ahead: string[] = [];
  let suspicions = 0;
  let mostPending = 0;
  let enqueueCalls = 0;
  let failure: Error | null = null;

  function record(
    outcome: Omit<RecordedVersion, 'gen'> = { status: 'uploaded', code: null, again: false },
  ): void {
    for (const { id, job } of pending.values()) recorded.set(id, { gen: job.gen, ...outcome });
    const jobIds = [...pending.keys()];
    pending.clear();
    inRedis.remove(jobIds);
  }

  const log: Log = {
    ...silentLog,
    warn: (_fields, message) => void warnings.push(message),
    debug({ suspicion }) {
      if (suspicion !== undefined) suspicions += 1;
    },
  };
  const ports: IntakePorts = {
    log,
    now: () => ({ wallMs: Date.now(), monotonicMs: performance.now() }),
    recorded: (id) => recorded.get(id) ?? null,
    isPending: (jobId) => pending.has(jobId),
    async settle(batch) {
      outcomes.push(...batch);
      for (const { id, gen, status, error } of batch)
        recorded.set(id, { gen, status, code: error?.code ?? null, again: false });
    },
    markDisk(marks) {
      for (const { id, gen, disk } of marks) {
        const known = recorded.get(id);
        if (known?.gen === gen) recorded.set(id, { ...known, disk });
      }
    },
    sendAgain(versions) {
      for (const { id, gen } of versions) {
        const known = recorded.get(id);
        if (known?.gen === gen) recorded.set(id, { ...known, again: true });
      }
    },
    uploads,
    ...(dedupe !== 'content' ? {} : { contents: createContentCheck(uploads, log) }),
    firstStartMs,
    exclusive: createMutex(),
    async enqueue(batch, place) {
      enqueueCalls += 1;
      if (failure !== null) throw failure;
      for (const item of batch) {
        if (pending.has(item.jobId)) continue;
        pending.set(item.jobId, item);
        jobs.push(item.job);
        if (place === 'front') ahead.push(item.job.path);
      }
      inRedis.add(
        batch.map(({ jobId }) => jobId),
        place,
      );
      mostPending = Math.max(mostPending, pending.size);
      if (autoRecord) setImmediate(record);
    },
    waitForRoom: inRedis.waitForRoom,
  };

  const stop = new AbortController();
  const intake = await startIntake(
    { ...DEFAULTS, ...given, root, ownPaths: own.map((name) => join(root, name)) },
    ports,
    stop.signal,
  );
  return {
    root,
    beside,
    intake,
    jobs,
    outcomes,
    ahead,
    paths: () => jobs.map(({ path }) => path).sort(),
    mostPending: () => mostPending,
    record,
    enqueueCalls: () => enqueueCalls,
    failEnqueue(error) {
      failure = error;
    },
    warnings,
    suspicions: () => suspicions,
    async [Symbol.asyncDispose]() {
      await intake.stop();
      await rm(base, { recursive: true, force: true });
    },
  };
}
