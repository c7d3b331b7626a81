import { type DestinationBlocker, mayTakeJobs, type SourceBlocker } from '../../domain/blocker.ts';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { type Pause, pauseBlocker } from '../../domain/pause-list.ts';
import type { UploadHandler } from '../../domain/upload-step.ts';
import type { OwnBooks } from '../../queue/own-books.ts';
import { openUploadWorker, type UploadWorker } from '../../queue/upload-worker.ts';
import { comparedKey } from '../../redis/coordination/compared-mark.ts';
import { finishedSignal, isRecordingPaused } from '../../redis/coordination/finished-signal.ts';
import type { Pauses } from '../../redis/coordination/pauses.ts';
import { announceWorker } from '../../redis/coordination/shared-source.ts';
import type { RedisAccess } from '../../redis/redis-access.ts';
import type { DestinationTraffic } from '../../traffic/destination-traffic.ts';
import { REFUSALS_TO_STOP } from '../../traffic/unproven-refusals.ts';
import type { SourcePlan } from '../plans/source-plan.ts';
import { watchForComparison } from './compared-watch.ts';

/** How soon a worker notices that the owner in another process cannot keep receipts. */
const HOLD_LOOK_MS = 2_000;

export interface SourceWorkerOptions {
  readonly plan: SourcePlan;
  readonly traffic: DestinationTraffic;
  readonly handler: UploadHandler;
  /** Most uploads of this destination at once. */
  readonly maxConcurrency: number;
  readonly pauses: Pauses;
  readonly redis: RedisAccess;
  readonly prefix: string;
  /** Jobs have finished; the owner in this process, if it is here, should know at once. */
  readonly onFinished: () => void;
  /** What the owner in this process knows; null: it is another process, or reads the finished jobs. */
  readonly own: OwnBooks | null;
  /** Whether the owner is another process, which has to be asked whether it can keep receipts. */
  readonly ownerElsewhere: boolean;
  readonly log: Log;
  readonly now: () => number;
}

/** What a worker does for one source: upload. */
export interface SourceWorker {
  readonly plan: SourcePlan;
  readonly gate: WorkConditions;
  /** Jobs in hand, whatever they wait for. */
  active(): number;
  /** Every job in hand goes back. */
  abort(): void;
  close(budgetMs: number): Promise<void>;
}

/** What a worker is kept from work by, other than the user and the destination. */
const MESSAGES = {
  recording: 'receipts cannot be kept at present',
  'owner-lost': 'another process records this source',
  'root-gone': 'its folder is gone, or empty as when a disk is not mounted',
  uncompared:
    'Redis was started or replaced, and the process that records this source has not looked at it yet',
  shutdown: 'this process ends',
} as const satisfies Partial<Record<SourceBlocker['reason'], string>>;

/** What keeps one worker from taking jobs, whoever found it. */
export interface WorkConditions {
  /** Somebody has found that this is in the way, or no longer is. */
  hold(reason: keyof typeof MESSAGES, holds: boolean): void;
  /** null: the user has paused nothing of it. */
  paused(pause: Pause | null): void;
  /** Of the destination: all that there is now. */
  destination(blockers: readonly DestinationBlocker[]): void;
}

/** Lets a worker take jobs only while nothing is in the way. */
export function workConditions(
  worker: Pick<UploadWorker, 'pause' | 'resume'>,
  onTrouble: (reason: string) => void,
  now: () => number,
): WorkConditions {
  const own = new Map<SourceBlocker['reason'], SourceBlocker>();
  let there: readonly DestinationBlocker[] = [];
  let paused = false;

  function follow(): void {
    const mayGo = mayTakeJobs([...own.values(), ...there]);
    if (paused !== mayGo) return;
    paused = !mayGo;
    const change = paused ? worker.pause() : worker.resume();
    change.catch((error: unknown) => onTrouble(reasonOf(error)));
  }

  function set(reason: SourceBlocker['reason'], blocker: SourceBlocker | null): void {
    if (blocker === null) own.delete(reason);
    else if (!own.has(reason)) own.set(reason, blocker);
    follow();
  }

  return {
    hold: (reason, holds) =>
      set(
        reason,
        holds ? { reason, message: MESSAGES[reason], sinceMs: now(), untilMs: null, passes: 'none' } : null,
      ),
    paused: (pause) => set('paused', pause === null ? null : pauseBlocker(pause)),
    destination(blockers) {
      there = blockers;
      follow();
    },
  };
}

/** Starts to serve the queue of one source. */
export function startSourceWorker(options: SourceWorkerOptions): SourceWorker {
  const { plan, traffic, pauses, own, ownerElsewhere, prefix, log, now } = options;
  const { connection } = options.redis;
  const source = plan.name;
  const bell = finishedSignal(connection, prefix, source);
  const worker = openUploadWorker({
    connection,
    prefix,
    source: plan.queue ?? source,
    // Refusals that are held back take no part in the uploading.
    concurrency: options.maxConcurrency + REFUSALS_TO_STOP,
    handler: options.handler,
    own,
    destination: plan.destination,
    compared: { key: comparedKey(prefix, source), run: () => comparison.run() },
    onFinished() {
      options.onFinished();
      if (ownerElsewhere) bell.ring();
    },
    log,
    now,
  });
  const gate = workConditions(
    worker,
    (reason) => log.warn({ source, reason }, 'taking jobs could not be paused or resumed'),
    now,
  );
  const comparison = watchForComparison({
    ...{ redis: options.redis, prefix, source, log },
    set: (compared) => gate.hold('uncompared', !compared),
  });
  const lookAtDestination = (): void => gate.destination(traffic.blockers());
  traffic.onChange(lookAtDestination);
  lookAtDestination();

  function lookAtPauses(): void {
    const pause = pauses.of(plan);
    gate.paused(pause);
    // Uploads under way finish; who only waits goes back.
    if (pause !== null) traffic.permits.dismiss(source);
  }
  pauses.onChange(lookAtPauses);
  lookAtPauses();

  async function askOwner(): Promise<void> {
    if (connection.status === 'ready')
      gate.hold('recording', await isRecordingPaused(connection, prefix, source));
  }
  const announcement = ownerElsewhere ? announceWorker(connection, prefix, source) : null;
  const holdTimer = ownerElsewhere
    ? setInterval(() => {
        askOwner().catch((error: unknown) =>
          log.debug({ source, reason: reasonOf(error) }, 'the owner could not be asked'),
        );
      }, HOLD_LOOK_MS)
    : null;

  return {
    plan,
    gate,
    active: worker.active,
    abort: () => worker.abort('shutdown'),
    async close(budgetMs) {
      if (holdTimer !== null) clearInterval(holdTimer);
      announcement?.close();
      comparison.close();
      await worker.close(budgetMs);
    },
  };
}
