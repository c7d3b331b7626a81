import type { IncomingMessage } from 'node:http';

/** `gone`: the client broke off before its body was complete. */
export type BodyEnd = 'complete' | 'gone';

/** What a consumer of a body may ask for after a chunk: wait until this settles before reading on. */
export type Pace = Promise<void> | null;

/** Reads a request body to its end, at the pace of its consumer. Never throws. */
export function readBody(req: IncomingMessage, onChunk: (chunk: Buffer) => Pace): Promise<BodyEnd> {
  return new Promise((resolve) => {
    // Nothing is announced a second time to those who come late.
    if (req.readableEnded || req.destroyed) return resolve(req.complete ? 'complete' : 'gone');
    req.on('data', (chunk: Buffer) => {
      const pace = onChunk(chunk);
      if (pace === null) return;
      req.pause();
      void pace.then(() => req.resume());
    });
    req.on('end', () => resolve('complete'));
    // After a broken connection too; an error is announced only to those who listen for it.
    req.on('close', () => resolve(req.complete ? 'complete' : 'gone'));
  });
}

/** Reads what is left and forgets it: a client that still writes would lose the answer with the connection. */
export function drainBody(req: IncomingMessage): Promise<BodyEnd> {
  return readBody(req, () => null);
}

/** A small body as text; null when it is larger than `maxBytes`. */
export async function readText(req: IncomingMessage, maxBytes: number): Promise<string | null | 'gone'> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const end = await readBody(req, (chunk) => {
    bytes += chunk.length;
    if (bytes <= maxBytes) chunks.push(chunk);
    return null;
  });
  if (end === 'gone') return 'gone';
  return bytes > maxBytes ? null : Buffer.concat(chunks).toString('utf8');
}
