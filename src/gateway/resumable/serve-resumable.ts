import type { IncomingMessage, ServerResponse } from 'node:http';
import { admit, type UploadsUnderWay } from '../admit-upload.ts';
import { discardRest } from '../body/request-body.ts';
import type { TusDoor, TusRequest } from './tus-door.ts';

/** Requests that bring something. */
const SENDING = new Set(['POST', 'PATCH']);

/**
 * Has the protocol's own server answer, within the limits of the door.
 * @throws Refusal before it does
 */
export async function serveResumable(
  request: IncomingMessage,
  response: ServerResponse,
  asked: TusRequest,
  facts: UploadsUnderWay & { readonly tus: TusDoor },
  begin: () => void,
): Promise<void> {
  const { uploads, inFlight, tus } = facts;
  const { route, caller } = asked;
  const sends = SENDING.has(request.method ?? '');
  if (sends) await admit({ ...facts, mode: 'queue', target: route.target });
  const giveBack = sends && caller !== null ? uploads.meter.upload(caller.name, caller.limits) : null;
  inFlight.count += sends ? 1 : 0;
  const stopWatch = sends ? endOnSilence(request, uploads.idleMs) : null;
  response.once('finish', () => discardRest(request));
  begin();
  try {
    await tus.handle(request, response, asked);
  } finally {
    stopWatch?.();
    inFlight.count -= sends ? 1 : 0;
    giveBack?.();
  }
}

/** What came stays, and the client goes on from there. */
function endOnSilence(request: IncomingMessage, idleMs: number): () => void {
  const { socket } = request;
  const end = (): void => void request.destroy(new Error('no byte of the body came for too long'));
  const stop = (): void => {
    socket.setTimeout(0);
    socket.off('timeout', end);
  };
  socket.setTimeout(idleMs);
  socket.once('timeout', end);
  request.once('end', stop);
  return stop;
}
