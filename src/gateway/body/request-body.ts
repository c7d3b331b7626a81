import type { IncomingMessage } from 'node:http';
import { Refusal } from '../refusal.ts';

/** The caller is gone: nobody is there to be answered. */
export class ClientGone extends Error {
  constructor() {
    super('the client went away');
    this.name = 'ClientGone';
  }
}

/**
 * Hands over a request's body chunk by chunk, as fast as they are taken. After a refusal the rest is not looked at, but
 * the connection stays: the caller has to see the answer.
 * @param take returns null: go on; else when to go on
 * @param idleMs longest silence while a byte is awaited
 * @throws ClientGone, Refusal 408, or what `take` throws
 */
export function readBody(
  request: IncomingMessage,
  take: (chunk: Buffer) => Promise<void> | null,
  idleMs: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let waiting = false;
    let ended = false;
    const timer = setTimeout(() => fail(silent()), idleMs);

    function onData(chunk: Buffer): void {
      timer.refresh();
      let next: Promise<void> | null;
      try {
        next = take(chunk);
      } catch (error) {
        fail(error);
        return;
      }
      if (next === null) return;
      waiting = true;
      clearTimeout(timer);
      request.pause();
      next.then(goOn, fail);
    }

    function goOn(): void {
      waiting = false;
      if (done) return;
      if (ended) {
        finish();
        return;
      }
      timer.refresh();
      request.resume();
    }

    function onEnd(): void {
      ended = true;
      if (!waiting) finish();
    }

    function onClose(): void {
      if (!ended) fail(new ClientGone());
    }

    let done = false;
    function settle(): void {
      done = true;
      clearTimeout(timer);
      request.off('data', onData);
      request.off('end', onEnd);
      request.off('close', onClose);
      request.off('error', onClose);
      request.on('error', () => undefined);
    }

    function finish(): void {
      if (done) return;
      settle();
      resolve();
    }

    function fail(error: unknown): void {
      if (done) return;
      settle();
      request.resume();
      reject(error as Error);
    }

    request.on('data', onData);
    request.on('end', onEnd);
    request.on('close', onClose);
    request.on('error', onClose);
    if (request.destroyed && !request.readableEnded) onClose();
  });
}

function silent(): Refusal {
  return new Refusal({
    status: 408,
    code: 'request_timeout',
    message: 'no byte of the body came for too long: send it again',
    headers: { connection: 'close' },
  });
}

/** How long the rest of a body that is not wanted is listened to. */
const DISCARD_MS = 5_000;

/**
 * Lets what still arrives of a refused request run into the void for a while: a connection that is closed at once makes
 * clients report a reset and not the answer.
 */
export function discardRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  request.resume();
  const timer = setTimeout(() => request.socket.destroy(), DISCARD_MS);
  const stop = (): void => clearTimeout(timer);
  request.once('end', stop);
  request.once('close', stop);
}
