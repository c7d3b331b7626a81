import type { Destination } from '../../destinations/destination.ts';
import type { AttemptResult } from '../../domain/attempt.ts';
import type { DestinationTraffic } from '../../traffic/destination-traffic.ts';
import { tellingOfChunks } from '../../traffic/uploads-in-progress.ts';
import { uploadFile } from './upload-file.ts';
import type { HttpSend, UploadContext, UploadTask } from './upload-task.ts';

/** One file whose turn it is. */
export interface Sending {
  readonly task: UploadTask;
  /** Sources take turns at the permits. */
  readonly source: string;
  /** Goes before those of its source that are not. */
  readonly first?: boolean;
  /** The destination as this file needs it; left out: as it is. */
  readonly destination?: Destination;
  /** Ends the wait for a permit, and nothing else. */
  readonly turn?: AbortSignal | undefined;
  /** Asked once it is its turn: whether its job is still this worker's. Left out: it is. */
  readonly isOurs?: (() => Promise<boolean>) | undefined;
}

/** What one attempt at one file needs. */
export interface SendOneContext extends UploadContext {
  readonly traffic: DestinationTraffic;
  readonly send: HttpSend;
}

/**
 * One attempt, from the permit to what the destination learns of it. The permit is held for the request alone: a file that
 * waits for its next try holds nobody up. Never throws.
 * @returns `aborted` as well when there was no permit: give the file back
 */
export async function sendOne(
  { task, source, first = false, destination, turn, isOurs }: Sending,
  context: SendOneContext,
): Promise<AttemptResult> {
  const { traffic, clock, signal } = context;
  const release = await traffic.permits.acquire(source, turn ?? signal, first);
  if (release === null) return { kind: 'aborted' };
  if (isOurs !== undefined && !(await isOurs())) {
    release();
    return { kind: 'aborted' };
  }
  const startedAtMs = clock.monotonicMs();
  const underWay = traffic.started();
  try {
    const send = watched(context.send, underWay.moved);
    const result = await uploadFile(task, destination ?? traffic.destination, send, context);
    const about = { bytes: task.size, file: `${source}/${task.name.path}` };
    traffic.finished(result, { rttMs: clock.monotonicMs() - startedAtMs, ...about });
    return result;
  } finally {
    underWay.ended();
    release();
  }
}

/** A body in one piece is sent before anybody could ask whether it moves. */
function watched(send: HttpSend, moved: () => void): HttpSend {
  return (request) => {
    const { body } = request;
    if (body === null || Buffer.isBuffer(body)) return send(request);
    return send({ ...request, body: tellingOfChunks(body, moved) });
  };
}
