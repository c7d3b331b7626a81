import { Webhook } from 'standardwebhooks';
import type { Receipt } from '../../src/domain/receipt.ts';
import { startHttpServer, type TestServer, type Visit } from './http-server.ts';

/** One delivery whose signature was right. */
export interface Arrived {
  readonly id: string;
  readonly body: { readonly type: string; readonly timestamp: string; readonly data: never };
  readonly text: string;
  readonly signatures: number;
}

export interface WebhookReceiver extends TestServer {
  readonly arrived: readonly Arrived[];
  /** Why deliveries were refused: must stay empty. */
  readonly refusals: readonly string[];
  /** `<id>-<gen>` of every receipt that was acknowledged, and how often. */
  told(): Map<string, number>;
}

/** Answers one delivery in place of 204; null: 204. */
export type Misbehave = (visit: Visit, arrived: Arrived) => number | null | Promise<number | null>;

export const SECRET = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';

/** A receiver as the standard describes it: it verifies with the standard's own library before it believes a word. */
export async function startReceiver(
  misbehave: Misbehave = () => null,
  secret: string = SECRET,
): Promise<WebhookReceiver> {
  const webhook = new Webhook(secret);
  const arrived: Arrived[] = [];
  const refusals: string[] = [];
  const told = new Map<string, number>();
  const server = await startHttpServer(async (visit) => {
    const text = (await visit.body()).toString('utf8');
    const headers = visit.request.headers as Record<string, string>;
    let delivery: Arrived;
    try {
      const body = webhook.verify(text, headers) as Arrived['body'];
      const signatures = (headers['webhook-signature'] ?? '').split(' ').length;
      delivery = { id: headers['webhook-id'] ?? '', body, text, signatures };
    } catch (error) {
      refusals.push(String(error));
      visit.response.writeHead(401).end();
      return;
    }
    const status = await misbehave(visit, delivery);
    if (status === null || (status >= 200 && status < 300)) {
      arrived.push(delivery);
      for (const receipt of receiptsIn(delivery.body)) {
        const key = `${receipt.id}-${receipt.gen}`;
        told.set(key, (told.get(key) ?? 0) + 1);
      }
    }
    if (!visit.response.headersSent && !visit.response.destroyed)
      visit.response.writeHead(status ?? 204).end();
  });
  return { ...server, arrived, refusals, told: () => told };
}

export function receiptsIn(body: { readonly type: string; readonly data: unknown }): Receipt[] {
  if (body.type === 'files.settled') return (body.data as { receipts: Receipt[] }).receipts;
  return body.type.startsWith('file.') ? [body.data as Receipt] : [];
}
