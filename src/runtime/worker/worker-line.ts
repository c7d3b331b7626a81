import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { openUploadWorker, type UploadHandler } from '../../queue/upload-worker.ts';
import type { Pauses } from '../../redis/coordination/pauses.ts';
import { finishedBell, isOnHold } from '../../redis/coordination/source-bell.ts';
import type { RedisAccess } from '../../redis/redis-access.ts';
import type { DestinationRunner } from '../../traffic/destination-runner.ts';
import { REFUSALS_TO_STOP } from '../../traffic/refusal-hold.ts';
import type { SourcePlan } from '../plans/source-plan.ts';
import { type WorkGate, workGate } from './work-gate.ts';

/** How soon a worker notices that the owner in another process cannot keep receipts. */
const HOLD_LOOK_MS = 2_000;

export interface WorkerLineFacts {
  readonly plan: SourcePlan;
  readonly runner: DestinationRunner;
  readonly handler: UploadHandler;
  /** Most uploads of this destination at once. */
  readonly maxConcurrency: number;
  readonly pauses: Pauses;
  readonly redis: RedisAccess;
  readonly prefix: string;
  /** Jobs have finished; the owner in this process, if it is here, should know at once. */
  readonly onFinished: () => void;
  /** Whether the owner is another process, which has to be asked whether it can keep receipts. */
  readonly ownerElsewhere: boolean;
  readonly log: Log;
  readonly now: () => number;
}

/** What a worker does for one source: upload. */
export interface WorkerLine {
  readonly plan: SourcePlan;
  readonly gate: WorkGate;
  /** Jobs in hand, whatever they wait for. */
  active(): number;
  /** Every job in hand goes back. */
  abort(): void;
  close(budgetMs: number): Promise<void>;
}

/** Starts to serve the queue of one source. */
export function startWorkerLine(facts: WorkerLineFacts): WorkerLine {
  const { plan, runner, pauses, prefix, log, now } = facts;
  const { connection } = facts.redis;
  const source = plan.name;
  const bell = finishedBell(connection, prefix, source);
  const worker = openUploadWorker({
    connection,
    prefix,
    source,
    // Refusals that are held back take no part in the uploading.
    concurrency: facts.maxConcurrency + REFUSALS_TO_STOP,
    handler: facts.handler,
    onFinished() {
      facts.onFinished();
      if (facts.ownerElsewhere) bell.ring();
    },
    log,
    now,
  });
  const gate = workGate(worker, (reason) =>
    log.warn({ source, reason }, 'taking jobs could not be paused or resumed'),
  );
  const lookAtDestination = (): void => gate.set('destination', runner.takesJobs());
  runner.onChange(lookAtDestination);
  lookAtDestination();

  function lookAtPauses(): void {
    const paused = pauses.of(plan) !== null;
    gate.set('paused', !paused);
    // Uploads under way finish; who only waits goes back.
    if (paused) runner.permits.dismiss(source);
  }
  pauses.onChange(lookAtPauses);
  lookAtPauses();

  async function askOwner(): Promise<void> {
    if (connection.status === 'ready') gate.set('recording', !(await isOnHold(connection, prefix, source)));
  }
  const holdTimer = facts.ownerElsewhere
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
      await worker.close(budgetMs);
    },
  };
}
