import { reasonOf, SlipwayError } from '../domain/errors.ts';
import type { LoopDelay } from './operators/loop-delay.ts';
import { overloaded, Refusal } from './refusal.ts';
import type { UploadMode } from './route-table.ts';
import type { UploadRules } from './upload-door.ts';
import type { UploadTarget } from './upload-target.ts';

/** How much is under way, and how much may be. */
export interface UploadsUnderWay {
  readonly uploads: UploadRules;
  readonly maxInFlight: number;
  /** Uploads under way. */
  readonly inFlight: { count: number };
  /** Whether the event loop has more to do than it can. */
  readonly loopDelay: LoopDelay;
}

/**
 * Whether an upload may begin, before a byte of its body is read.
 * @throws Refusal 503, SlipwayError `spool_full`
 */
export async function admit({
  uploads,
  inFlight,
  maxInFlight,
  loopDelay,
  mode,
  target,
}: UploadsUnderWay & { readonly mode: UploadMode; readonly target: UploadTarget }): Promise<void> {
  if (inFlight.count >= maxInFlight)
    throw overloaded('as many uploads are under way as maxInFlight allows', 1);
  if (loopDelay.isLate()) throw overloaded('this machine is too busy', 2);
  if (uploads.place.disk.taken() >= uploads.place.disk.maxBytes) throw new SlipwayError('spool_full');
  if (mode === 'queue') await openQueue(uploads);
  else refuseWhileDown(target, uploads.now());
}

/** The first file for later brings Redis up. What was accepted survives its going away; nothing is accepted that nobody sends. */
async function openQueue({ later, log }: UploadRules): Promise<void> {
  try {
    await later.line.open();
  } catch (error) {
    log.warn({ reason: reasonOf(error) }, 'the queue cannot be used');
    const message = `the queue cannot be used (${reasonOf(error)}): upload with ?mode=direct, or try again later`;
    const headers = { 'retry-after': '5' };
    throw new Refusal({ status: 503, code: 'queue_unavailable', message, headers });
  }
}

/** Nobody waits for what is known to be down: its next trial may be theirs. */
function refuseWhileDown({ destination, uploader }: UploadTarget, nowMs: number): void {
  const blocker = uploader.blocker();
  if (blocker?.reason !== 'down' && blocker?.reason !== 'token-away') return;
  const seconds = Math.max(1, Math.ceil(((blocker.untilMs ?? nowMs) - nowMs) / 1_000));
  const message = `${destination.name} is down (${blocker.message}): try again in ${seconds} s, or upload with ?mode=queue`;
  throw new Refusal({
    status: 503,
    code: 'destination_down',
    message,
    headers: { 'retry-after': String(seconds) },
  });
}
