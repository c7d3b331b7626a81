import { performance } from 'node:perf_hooks';
import { reasonOf, type SlipwayError } from '../domain/errors.ts';
import type { Outcome } from '../domain/receipt.ts';
import { replayJournal } from '../ledger/journal/journal-replay.ts';
import { createWaker } from '../platform/waiting/waker.ts';
import { createJoblessOutcomes } from './jobless-outcomes.ts';
import { createBatchRecorder, MAX_BATCH, type RecordBatchPorts } from './record-batch.ts';
import {
  RECORDER_TIMING,
  type RecorderState,
  type RecorderTiming,
  storageTrouble,
} from './recorder-state.ts';

export interface RecorderOptions extends Omit<RecordBatchPorts, 'failpoint' | 'own'> {
  readonly failpoint?: RecordBatchPorts['failpoint'] | undefined;
  readonly onState?: (state: RecorderState) => void;
  readonly timing?: RecorderTiming;
}

/** Makes the results of one source durable, each exactly once (G1). */
export interface Recorder {
  /** A job has finished. Cheap, may be called for each. */
  wake(): void;
  /**
   * Records what needs no job (or can have none), beside the finished jobs and by the same rules: a (version,
   * generation) that has a receipt gets no second one. Resolves when they are durable, rejects when the recorder is
   * halted or stopped first.
   */
  settle(outcomes: readonly Outcome[]): Promise<void>;
  /**
   * Resolves when everything that had finished before the call is recorded and removed; also when the recorder is
   * stopped first. Rejects when it is halted. Waits while it is paused.
   */
  drained(): Promise<void>;
  state(): RecorderState;
  /** Ends after the batch in hand, within a second even when Redis does not answer. What is left stays in Redis. */
  stop(): Promise<void>;
}

interface DrainWaiter {
  readonly resolve: () => void;
  readonly reject: (error: SlipwayError) => void;
}

/** A Redis that does not answer may not hold up the end; what it was asked is done again at the next start. */
const STOP_GRACE_MS = 1_000;

/** A batch of this many leaves the next one its usual spacing; larger ones stretch it, up to so many times. */
const COUNT_AT_EASE = 8;
const MAX_STRETCH = 5;

const NOTHING = (): void => {};

// Over 80 lines: one state with its waiters: recording, paused, halted, stopped; a change that is made apart from the loop would miss a waiter.
/**
 * Starts recording. Resolves when the ledger knows all that the journal holds: only then may admission ask it.
 * @throws SlipwayError `journal_corrupt`, `disk_full`, `ledger_unwritable` when that cannot be done
 */
export async function startRecorder(options: RecorderOptions): Promise<Recorder> {
  const {
    ledger,
    journal,
    now,
    log,
    onState = NOTHING,
    timing = RECORDER_TIMING,
    failpoint = NOTHING,
  } = options;
  const waiters = new Set<DrainWaiter>();
  const signal = createWaker();
  const own = createJoblessOutcomes();
  let state: RecorderState = { kind: 'recording' };
  let stopping = false;
  let abandoned = false;
  let abandonRedis = NOTHING;
  let failures = 0;

  const batches = createBatchRecorder({
    ...options,
    own,
    failpoint,
    onRecorded,
    exclusive: (work) => unlessAbandoned(options.exclusive(work)),
    finished: {
      take: (max) => unlessAbandoned(options.finished.take(max)),
      remove: (jobIds) => unlessAbandoned(options.finished.remove(jobIds)),
    },
  });

  async function run(): Promise<void> {
    while (!stopping && state.kind !== 'halted') {
      const asking = [...waiters];
      const begunMs = performance.now();
      try {
        const count = await batches.record();
        recovered();
        if (count === 0) resolveAll(asking);
        await rest(count, performance.now() - begunMs);
      } catch (error) {
        await pauseAfter(error);
      }
    }
  }

  async function rest(count: number, tookMs: number): Promise<void> {
    if (count === MAX_BATCH || waiters.size > 0) return;
    if (count === 0) return signal.sleep(stopping ? 0 : timing.pollMs);
    // The fixed price of a batch is some 2 ms: many files a second share it among more, a single one waits for none.
    const spacingMs = timing.spacingMs * Math.min(MAX_STRETCH, Math.max(1, count / COUNT_AT_EASE));
    // On a slow disk a rest as long as the work leaves the event loop and the disk to the uploads.
    await pause(Math.max(spacingMs - tookMs, Math.min(tookMs, 10 * timing.spacingMs)));
  }

  async function pauseAfter(error: unknown): Promise<void> {
    if (stopping) return;
    failures += 1;
    const trouble = storageTrouble(error);
    if (trouble !== null && !trouble.retryable) return halt(trouble);
    if (trouble === null && failures === 1) {
      log.warn({ reason: reasonOf(error) }, 'finished jobs cannot be read or removed; trying on');
    }
    if (trouble !== null && state.kind === 'recording') {
      log.error({ code: trouble.code, reason: trouble.message }, 'recording is paused');
      change({ kind: 'paused', error: trouble, sinceMs: now() });
    }
    const maxMs = trouble === null ? timing.pollMs : timing.maxRetryMs;
    await pause(Math.min(timing.retryMs * 2 ** Math.min(failures - 1, 10), maxMs));
  }

  /** A wait that finished jobs do not cut short: they are the reason why there is one. */
  async function pause(ms: number): Promise<void> {
    const endMs = performance.now() + ms;
    for (let left = ms; left > 0 && !stopping; left = endMs - performance.now()) await signal.sleep(left);
  }

  function recovered(): void {
    if (failures === 0) return;
    log.info({ tries: failures }, 'recording goes on');
    failures = 0;
    if (state.kind === 'paused') change({ kind: 'recording' });
  }

  function halt(error: SlipwayError): void {
    log.error({ code: error.code, reason: error.message }, 'recording is halted; results stay in Redis');
    change({ kind: 'halted', error });
    own.fail(error);
    for (const waiter of waiters) waiter.reject(error);
    waiters.clear();
  }

  function change(next: RecorderState): void {
    state = next;
    onState(next);
  }

  function resolveAll(asking: Iterable<DrainWaiter>): void {
    for (const waiter of [...asking]) {
      waiters.delete(waiter);
      waiter.resolve();
    }
  }

  /** A listener's mistake must not look like a failed record, which would be done again. */
  function onRecorded(...told: Parameters<RecorderOptions['onRecorded']>): void {
    try {
      options.onRecorded(...told);
    } catch (error) {
      log.error({ reason: reasonOf(error) }, 'what follows a record failed');
    }
  }

  /** Not a race against one lasting promise: that would keep every answer until the end. */
  function unlessAbandoned<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      abandonRedis = () => reject(new Error('the recorder was stopped'));
      work.then(resolve, reject);
      if (abandoned) abandonRedis();
    });
  }

  await replayJournal({ journal, ledger, log, intentOf: options.intentOf });
  const running = run();
  let stopped: Promise<void> | null = null;

  async function stop(): Promise<void> {
    stopping = true;
    signal.wake();
    const grace = setTimeout(() => {
      abandoned = true;
      abandonRedis();
    }, STOP_GRACE_MS);
    await running;
    clearTimeout(grace);
    batches.announceRest();
    own.fail(new Error('the recorder was stopped'));
    change({ kind: 'stopped' });
    resolveAll(waiters);
  }

  return {
    wake: signal.wake,
    state: () => state,

    settle(outcomes) {
      const durable = own.add(outcomes);
      batches.handedOver(outcomes);
      signal.wake();
      return durable;
    },

    drained() {
      if (state.kind === 'halted') return Promise.reject(state.error);
      if (state.kind === 'stopped') return Promise.resolve();
      return new Promise((resolve, reject) => {
        waiters.add({ resolve, reject });
        signal.wake();
      });
    },

    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}
