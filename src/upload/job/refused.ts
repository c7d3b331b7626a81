import type { UploadFailure } from '../../domain/attempt.ts';
import type { AttemptEntry } from '../../domain/attempt-entry.ts';
import { errorMessage } from '../../domain/errors.ts';
import type { DestinationTraffic } from '../../traffic/destination-traffic.ts';
import { REFUSALS_TO_STOP } from '../../traffic/unproven-refusals.ts';
import type { AttemptHistory } from './attempt-log.ts';

/** What a file was refused with. */
export type Refusal = Pick<UploadFailure, 'code' | 'httpStatus' | 'message'>;

/** A success so long ago still shows that credentials, account and address are right. */
const RECENT_MS = 60_000;

/** Refusals with the same key are equal. Ids of the request in the message are not: they differ every time. */
export function refusalKey({ code, httpStatus }: Pick<Refusal, 'code' | 'httpStatus'>): string {
  return `${code}:${httpStatus}`;
}

/** Too large, of a type that is not taken, or sent by a way this server lacks: whatever others get, it is this file. */
export function isFilesOwn({ code, httpStatus }: Refusal): boolean {
  return httpStatus === 413 || httpStatus === 415 || code === 'no_parts';
}

/** How often a file was refused with what would stop a destination. */
export function ownRefusals({ attemptLog }: AttemptHistory): number {
  return attemptLog.filter(stops).length;
}

function stops({ kind }: AttemptEntry): boolean {
  return kind === 'misconfigured' || kind === 'exhausted';
}

/**
 * Whose fault is it when a file is refused with what would stop the destination (401, 402, 403, 404 …)? With no success lately
 * the destination's, at once. Else it is waited for: a success shows that it is the file's, 20 equal refusals in a row that
 * it is not. Where nothing else is left to try, credentials and accounts are believed; anything else is the file's.
 * @param before what was known of the file before this refusal: one after which others got through has shown it already
 */
export async function rulingOnStop(
  failure: UploadFailure,
  before: AttemptHistory,
  traffic: Pick<DestinationTraffic, 'times' | 'refusals' | 'blockers'>,
  signal: AbortSignal,
): Promise<'stop' | 'files-own' | 'give-back'> {
  const { nowMs, lastSuccessAtMs, heardSuccessAtMs } = traffic.times();
  const successAtMs = Math.max(lastSuccessAtMs ?? 0, heardSuccessAtMs ?? 0);
  const isStopped = traffic.blockers().some(({ reason }) => reason === 'stopped');
  // What was never sent (no token) is nothing that a server said of a file.
  if (failure.httpStatus === null || isStopped || nowMs - successAtMs > RECENT_MS) return 'stop';
  const first = before.attemptLog.find(stops);
  if (first !== undefined && traffic.refusals.provenWithin(nowMs - Date.parse(first.at))) return 'files-own';
  const ruling = await traffic.refusals.rule(refusalKey(failure), signal);
  if (ruling === 'give-back') return 'give-back';
  if (ruling === 'destination-wrong') return 'stop';
  const isAboutUs = failure.code.startsWith('token_') || failure.kind === 'exhausted';
  return ruling === 'alone' && isAboutUs ? 'stop' : 'files-own';
}

/** What stops a destination that refuses every file. */
export function wrongDestination(refusal: Refusal): UploadFailure {
  const [what, fix] =
    refusal.code === 'size_mismatch'
      ? [
          'were stored with another size than they have',
          'set `answer.bytes: null` if this API counts otherwise',
        ]
      : ['were refused in the same way and none was accepted', 'correct the destination'];
  const detail = `${REFUSALS_TO_STOP} files in a row ${what} (${refusal.message}): ${fix}`;
  return {
    kind: 'misconfigured',
    code: 'misconfigured',
    message: errorMessage('misconfigured', { detail }),
    httpStatus: refusal.httpStatus,
    retryAfterMs: null,
  };
}
