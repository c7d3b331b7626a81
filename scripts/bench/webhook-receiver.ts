/**
 * A webhook endpoint for the bench, in a process of its own: verifies every signature, counts what is told, and fails a
 * share of the requests (argument: 0 to 1). Its parent asks it over IPC.
 */
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceiverStats {
  readonly requests: number;
  readonly acknowledged: number;
  /** Different (id, gen) acknowledged. */
  readonly receipts: number;
  /** Acknowledged again. */
  readonly repeated: number;
  /** (id, gen) that came under more than one webhook-id. */
  readonly twoIds: number;
  readonly badSignatures: number;
  /** Epoch milliseconds with fractions, of the first and the last that was new. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

export const SECRET = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';
const KEY = Buffer.from(SECRET.slice('whsec_'.length), 'base64');

interface Told {
  readonly id: string;
  readonly gen: number;
}

function serve(failing: number): void {
  const idOf = new Map<string, string>();
  const told = new Set<string>();
  const stats = {
    requests: 0,
    acknowledged: 0,
    repeated: 0,
    twoIds: 0,
    badSignatures: 0,
    firstAtMs: 0,
    lastAtMs: 0,
  };

  function take(id: string, body: string): void {
    const event = JSON.parse(body) as { type: string; data: Told & { receipts?: Told[] } };
    for (const receipt of event.data.receipts ?? [event.data]) {
      const key = `${receipt.id}-${receipt.gen}`;
      if ((idOf.get(key) ?? id) !== id) stats.twoIds += 1;
      idOf.set(key, id);
      if (told.has(key)) stats.repeated += 1;
      else stats.lastAtMs = performance.timeOrigin + performance.now();
      told.add(key);
    }
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const id = String(request.headers['webhook-id']);
      const head = `${id}.${String(request.headers['webhook-timestamp'])}.`;
      const expected = `v1,${createHmac('sha256', KEY).update(head).update(body).digest('base64')}`;
      stats.requests += 1;
      if (stats.firstAtMs === 0) stats.firstAtMs = performance.timeOrigin + performance.now();
      if (request.headers['webhook-signature'] !== expected) stats.badSignatures += 1;
      if (Math.random() < failing) {
        response.writeHead(503).end();
        return;
      }
      stats.acknowledged += 1;
      take(id, body.toString('utf8'));
      response.writeHead(204).end();
    });
  });
  server.listen(0, '127.0.0.1', () => process.send?.(server.address() as AddressInfo));
  process.on('message', () => process.send?.({ ...stats, receipts: told.size } satisfies ReceiverStats));
  process.on('disconnect', () => process.exit(0));
}

if (process.send !== undefined) serve(Number(process.argv[2] ?? '0'));
