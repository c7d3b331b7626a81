import type { SentName } from '../../destinations/definition/sent-name.ts';
import type { Answer, Destination, PreparedRequest } from '../../destinations/destination.ts';
import type { AttemptResult } from '../../domain/attempt.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { openFileBody } from '../body/body-reader.ts';
import { multipartFrame, newBoundary } from '../body/multipart-body.ts';
import { uploadInParts } from '../parts/upload-in-parts.ts';
import { preflight } from '../preflight.ts';
import { resultOfError } from './attempt-failure.ts';
import { sizeMismatch } from './stored-size.ts';
import {
  baseNameOf,
  contentTypeOf,
  type HttpSend,
  type UploadContext,
  type UploadTask,
} from './upload-task.ts';

export type { HttpSend, UploadContext, UploadTask } from './upload-task.ts';

/** File objects are a few hundred bytes; the documented API with the longest answer stays below 100 KiB. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Mended credentials or a mended clock cost no attempt; a destination that mends for ever would never end. */
const MAX_REQUESTS = 5;

/**
 * One attempt at one file version: is it wanted → may we → read and send → what did they say → does mending the
 * credentials help → result. Never throws; every outcome is an AttemptResult.
 */
export async function uploadFile(
  task: UploadTask,
  destination: Destination,
  send: HttpSend,
  context: UploadContext,
): Promise<AttemptResult> {
  const { clock, signal, log } = context;
  const startedAtMs = clock.monotonicMs();
  let requests = 0;
  try {
    const refusal = preflight({ path: task.name.path, size: task.size }, destination.limits);
    if (refusal !== null) return { kind: 'skipped', ...refusal, requests };
    const { parts } = destination;
    if (parts !== null && task.size > parts.aboveBytes) {
      return await uploadInParts(task, { destination, parts, send, log }, context);
    }
    const name = destination.sentName(baseNameOf(task));
    for (;;) {
      const request = await destination.authorize(signal, { name: baseNameOf(task) });
      const sent = await sendFile(task, request, name, context, (message) => {
        requests += 1;
        return send(message);
      });
      const verdict = destination.judge(sent.answer, request);
      if (verdict.kind === 'uploaded') {
        const { sha256, contentType } = sent;
        if (sha256 === null || sent.answer.early === true)
          throw new SlipwayError('bad_answer', { detail: 'success before the whole file was sent' });
        destination.accepted(request);
        const wrongSize = sizeMismatch(verdict.remoteBytes, task.size, sent.answer.status);
        if (wrongSize !== null) return { kind: 'failed', failure: wrongSize, requests };
        const uploadedAt = new Date(clock.nowMs()).toISOString();
        const durationMs = Math.round(clock.monotonicMs() - startedAtMs);
        return {
          kind: 'uploaded',
          accepted: verdict.accepted,
          bytes: task.size,
          sha256,
          contentType,
          uploadedAt,
          durationMs,
          sentName: name.read,
          requests,
        };
      }
      const ruling = destination.reconsider(verdict.failure, request, sent.answer);
      if (ruling !== 'again') return { kind: 'failed', failure: ruling, requests };
      if (requests >= MAX_REQUESTS) return { kind: 'failed', failure: verdict.failure, requests };
      log.debug(
        { destination: destination.name, code: verdict.failure.code },
        'credentials mended, sending again',
      );
    }
  } catch (error) {
    return signal.aborted ? { kind: 'aborted' } : resultOfError(error, requests);
  }
}

interface Sent {
  readonly answer: Answer;
  /** Null when the answer came before the last byte of the file was handed over. */
  readonly sha256: string | null;
  readonly contentType: string;
}

async function sendFile(
  task: UploadTask,
  request: PreparedRequest,
  name: SentName,
  { smallReads, clock, signal }: UploadContext,
  send: HttpSend,
): Promise<Sent> {
  const contentType = contentTypeOf(task);
  const { fields, fileField } = request;
  const { quoted: fileName, extended: extendedName } = name;
  const frame = multipartFrame({ fields, fileField, fileName, extendedName, contentType }, newBoundary());
  const file = await openFileBody(task, frame, smallReads, clock);
  try {
    const answer = await send({
      method: request.method,
      url: request.url,
      headers: { ...request.headers, 'content-type': frame.contentType },
      body: file.body,
      contentLength: file.contentLength,
      signal,
      maxResponseBytes: MAX_ANSWER_BYTES,
    });
    return { answer, sha256: file.sha256(), contentType };
  } finally {
    // Not awaited: closing waits for a read under way, and a disk that hangs must not hold up an abort.
    file.close().catch(() => {});
  }
}
