import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { linesFrom } from '../../src/ledger/journal/journal-at.ts';
import { readSourceLedger } from '../../src/ledger/store/source-store.ts';
import { openOutbox } from '../../src/ledger/tables/outbox-store.ts';
import type { Dice } from './dice.ts';
import { type RoundPlace, SOURCE } from './round-place.ts';

/** A webhook endpoint of the harness: believes what is signed, refuses some of it once, remembers all of it. */
export interface HookReceiver {
  readonly url: string;
  readonly secret: string;
  /** Events that were acknowledged. */
  count(): number;
  /** What was promised of webhooks and does not hold, after everything has drained. */
  violations(place: RoundPlace): Promise<string[]>;
  close(): Promise<void>;
}

export const HOOK_ENDPOINT = 'harness';

const KEY = Buffer.from('0123456789abcdef0123456789abcdef');
const EVERY_LINE = Number.MAX_SAFE_INTEGER;

export async function startHookReceiver(dice: Dice): Promise<HookReceiver> {
  /** webhook-ids by `<id>-<gen>`. */
  const told = new Map<string, Set<string>>();
  const bodies = new Map<string, string>();
  const refused = new Set<string>();
  const problems: string[] = [];

  function take(id: string, timestamp: string, signature: string, body: string): number {
    const expected = `v1,${createHmac('sha256', KEY).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
    if (signature !== expected) problems.push(`a delivery with a wrong signature: ${id}`);
    if ((bodies.get(id) ?? body) !== body) problems.push(`two contents under one webhook-id: ${id}`);
    bodies.set(id, body);
    if (!refused.has(id) && dice.int(0, 9) === 0) {
      refused.add(id);
      return 503;
    }
    const { data } = JSON.parse(body) as { data: { id: string; gen: number } };
    const key = `${data.id}-${data.gen}`;
    told.set(key, (told.get(key) ?? new Set()).add(id));
    return 204;
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const header = (name: string): string => String(request.headers[name]);
      const body = Buffer.concat(chunks).toString('utf8');
      const status = take(
        header('webhook-id'),
        header('webhook-timestamp'),
        header('webhook-signature'),
        body,
      );
      response.writeHead(status).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    secret: `whsec_${KEY.toString('base64')}`,
    count: () => told.size,

    async violations({ journal, dataDir }) {
      const waits = await waiting(journal, dataDir);
      const receipts = await linesFrom(journal, { from: 0, to: EVERY_LINE }, EVERY_LINE);
      const keys = receipts.map(({ receipt, from }) => ({ key: `${receipt.id}-${receipt.gen}`, from }));
      const missed = keys.filter(({ key, from }) => !told.has(key) && !waits(from));
      const known = new Set(keys.map(({ key }) => key));
      const made = [...told.keys()].filter((key) => !known.has(key));
      const twice = [...told].filter(([, ids]) => ids.size > 1);
      return [
        ...problems.slice(0, 5),
        ...(missed.length === 0 ? [] : [`webhook: ${missed.length} receipts were never told`]),
        ...(made.length === 0 ? [] : [`webhook: ${made.length} were told and are not in the journal`]),
        ...(twice.length === 0 ? [] : [`webhook: ${twice.length} events under more than one id`]),
      ];
    },

    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** What is still on its way: a process that stood still for longer than a time-out has failed attempts to its name. */
async function waiting(journal: string, dataDir: string): Promise<(offset: number) => boolean> {
  const ledger = readSourceLedger(dataDir, SOURCE);
  const outbox = ledger === null ? null : openOutbox(ledger);
  const open = [...(outbox?.deliveries(HOOK_ENDPOINT) ?? [])].filter(({ state }) => state === 'open');
  const offsets = new Set(open.map(({ content }) => (content.kind === 'batch' ? -1 : content.from)));
  await ledger?.close();
  if (open.length > 0)
    process.stderr.write(`  ${open.length} webhook deliveries wait for a retry (${journal})\n`);
  return (offset) => offsets.has(offset);
}
