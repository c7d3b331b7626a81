import type { IncomingMessage, ServerResponse } from 'node:http';

/** A caller that has closed its side of the connection may still listen: most get their answer before they are asked. */
const ASK_AFTER_MS = [300, 200] as const;
/** Who has taken two is there, and is asked now and then. */
const ASK_AGAIN_MS = 10_000;

/**
 * Fires once nobody listens for the answer any more. A client that is gone and one that has only finished sending look
 * the same until something is sent to them: an interim response (RFC 9110, 15.2: every client has to bear those) is
 * taken by the one and answered with a reset by the other, which the second one finds.
 */
export function callerGone(request: IncomingMessage, response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  const { socket } = request;
  let timer: NodeJS.Timeout | null = null;
  let asked = 0;

  function askLater(): void {
    timer = setTimeout(ask, ASK_AFTER_MS[asked] ?? ASK_AGAIN_MS);
  }

  function ask(): void {
    if (response.headersSent || response.destroyed) return;
    asked += 1;
    response.writeContinue();
    askLater();
  }

  function onHalfClosed(): void {
    // HTTP/1.0 knows no interim responses.
    if (request.httpVersionMinor >= 1) askLater();
  }

  socket.once('end', onHalfClosed);
  response.once('close', () => {
    if (timer !== null) clearTimeout(timer);
    socket.off('end', onHalfClosed);
    if (!response.writableFinished) gone.abort(new Error('the client went away'));
  });
  return gone.signal;
}
