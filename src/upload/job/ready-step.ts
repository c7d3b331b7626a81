import type { UploadedResult } from '../../domain/attempt.ts';
import type { Log } from '../../domain/log.ts';
import { boundedRemote } from '../../domain/receipt.ts';
import type { QueuedUpload, UploadStep } from '../../domain/upload-step.ts';
import type { Clock } from '../../platform/waiting/clock.ts';
import type { DestinationTraffic } from '../../traffic/destination-traffic.ts';
import type { AwaitReady, ReadyStep } from './await-ready.ts';

/** Who asks, and who learns of it. */
interface ReadyContext {
  readonly awaitReady: AwaitReady | null;
  readonly traffic: Pick<DestinationTraffic, 'looked'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** As `ReadyStep`, the wait as a job waits. */
export type QueuedReadyStep =
  | Exclude<ReadyStep, { kind: 'look-again' }>
  | { readonly kind: 'look-again'; readonly delayMs: number };

/** For a file just accepted whose use has to be waited for: the job carries what was accepted. Null: nothing to wait for. */
export function askLater(
  { job, jobId }: QueuedUpload,
  result: UploadedResult,
  { awaitReady, clock }: ReadyContext,
): UploadStep | null {
  const { fileId, remote } = result.accepted;
  // Without an id there is nothing to ask for.
  if (awaitReady === null || fileId === null) return null;
  const uploaded = { ...result, accepted: { ...result.accepted, remote: boundedRemote(remote) } };
  const delayMs = delayUntil(awaitReady.firstLook(jobId, uploaded), clock);
  return { kind: 'retry', delayMs, job: { ...job, remoteId: fileId, uploaded } };
}

/** One look at a file that was accepted before. */
export async function askAgain(
  { job, jobId }: QueuedUpload,
  { awaitReady, traffic, clock, log }: ReadyContext,
  signal: AbortSignal,
): Promise<QueuedReadyStep> {
  const { uploaded } = job;
  if (uploaded === undefined) return { kind: 'give-back' };
  // The wait was switched off in the config since.
  if (awaitReady === null) return { kind: 'settle', jobEnd: { status: 'uploaded', result: uploaded } };
  const step = await awaitReady.look(jobId, uploaded, signal);
  if (step.kind === 'settle') traffic.looked(null);
  if (step.kind !== 'look-again') return step;
  traffic.looked(step.failure);
  if (step.failure !== null)
    log.debug({ path: job.path, code: step.failure.code }, 'readiness could not be asked for');
  return { kind: 'look-again', delayMs: delayUntil(step.atMs, clock) };
}

/** At least a moment: without a delay the job would come straight back. */
function delayUntil(atMs: number, clock: Clock): number {
  return Math.max(1, Math.ceil(atMs - clock.nowMs()));
}
