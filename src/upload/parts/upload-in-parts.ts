import type { AttemptResult, UploadFailure } from '../../domain/attempt.ts';
import { errorMessage, reasonOf } from '../../domain/errors.ts';
import { formatBytes } from '../../platform/units.ts';
import { resultOfError } from '../attempt/attempt-failure.ts';
import { sizeMismatch } from '../attempt/stored-size.ts';
import { baseNameOf, contentTypeOf, type UploadContext, type UploadTask } from '../attempt/upload-task.ts';
import { type CallMeans, callParts, TRIES } from './part-calls.ts';
import { openPartSource, type PartSource } from './part-source.ts';
import { partsTimeLeft } from './parts-time-left.ts';
import { sendParts } from './send-parts.ts';

/** A courtesy: the far side forgets an unfinished upload by itself, so nobody waits long for it. */
const CANCEL_MS = 5_000;
/** Shutting down: less still. */
const CANCEL_ABORTED_MS = 500;

/**
 * One attempt at a file that is too large for one request: announce it → send its parts, several at once → is it still
 * the same → put them together → result. Given up half-way, the far side is told to drop what it has; nothing of it is
 * remembered here, so that a crash begins it anew. Never throws.
 */
export async function uploadInParts(
  task: UploadTask,
  means: CallMeans,
  context: UploadContext,
): Promise<AttemptResult> {
  const { clock, signal } = context;
  const startedAtMs = clock.monotonicMs();
  const name = baseNameOf(task);
  const contentType = contentTypeOf(task);
  let source: PartSource | null = null;
  let unfinished: string | null = null;
  let requests = 0;
  try {
    source = await openPartSource(task, means.parts.partBytes);
    requests = 1;
    const file = { name, bytes: task.size, contentType };
    const created = await callParts({ step: 'create', file }, null, means, { signal, tries: 1 });
    if (created.kind === 'failed')
      return { kind: 'failed', failure: withoutParts(created.failure, means), requests };
    const uploadId = created.accepted.fileId ?? '';
    unfinished = uploadId;

    const timeLeft = partsTimeLeft(means.parts.lifetimeMs, () => clock.monotonicMs() - startedAtMs);
    const sent = await sendParts(source, uploadId, means, { signal, timeLeft });
    if (sent.kind === 'failed') return { kind: 'failed', failure: timeLeft.blame(sent.failure), requests };
    const { sha256, md5 } = await source.finish();
    const { partIds } = sent;
    const completed = await callParts({ step: 'complete', uploadId, partIds, md5 }, null, means, {
      signal,
      tries: TRIES,
    });
    if (completed.kind === 'failed')
      return { kind: 'failed', failure: timeLeft.blame(completed.failure), requests };
    unfinished = null;
    const wrongSize = sizeMismatch(completed.remoteBytes, task.size, completed.httpStatus);
    if (wrongSize !== null) return { kind: 'failed', failure: wrongSize, requests };
    return {
      kind: 'uploaded',
      accepted: completed.accepted,
      bytes: task.size,
      sha256,
      contentType,
      uploadedAt: new Date(clock.nowMs()).toISOString(),
      durationMs: Math.round(clock.monotonicMs() - startedAtMs),
      sentName: means.destination.sentName(name).bare,
      requests,
    };
  } catch (error) {
    return signal.aborted ? { kind: 'aborted' } : resultOfError(error, requests);
  } finally {
    // Not awaited: closing waits for a read under way, and a disk that hangs must not hold up an abort.
    source?.close().catch(() => {});
    if (unfinished !== null) await cancel(unfinished, means, signal);
  }
}

/** What the server lacks concerns the files that need it: those that fit one request go on. */
function withoutParts(failure: UploadFailure, { parts }: CallMeans): UploadFailure {
  const { httpStatus } = failure;
  if (httpStatus !== 404 && httpStatus !== 405) return failure;
  const message = errorMessage('no_parts', { status: httpStatus, most: formatBytes(parts.aboveBytes) });
  return { ...failure, kind: 'rejected', code: 'no_parts', message };
}

async function cancel(uploadId: string, means: CallMeans, aborted: AbortSignal): Promise<void> {
  if (!means.parts.cancels) return;
  const signal = AbortSignal.timeout(aborted.aborted ? CANCEL_ABORTED_MS : CANCEL_MS);
  try {
    await callParts({ step: 'cancel', uploadId }, null, means, { signal, tries: 1 });
  } catch (error) {
    const options = { destination: means.destination.name, reason: reasonOf(error) };
    means.log.debug(options, 'an upload in parts was not cancelled');
  }
}
