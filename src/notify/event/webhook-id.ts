import { createHash } from 'node:crypto';
import type { BatchEnd } from '../../domain/batch.ts';
import type { DeliveryType } from '../../domain/delivery.ts';
import type { Receipt } from '../../domain/receipt.ts';

/**
 * `webhook-id`: from the endpoint's name and what is told, so that retries, crashes and replays all carry the same one
 * (contract §9). Receivers keep it for as long as they look for repeats.
 */
function webhookId(endpoint: string, type: DeliveryType, parts: Iterable<string>): string {
  const hash = createHash('sha256').update(endpoint).update('\0').update(type);
  for (const part of parts) hash.update('\0').update(part);
  return `msg_${hash.digest('hex').slice(0, 32)}`;
}

type Told = Pick<Receipt, 'id' | 'gen' | 'status'>;

/** Of one receipt. A file version's id holds its source. */
export function receiptEventId(endpoint: string, { id, gen, status }: Told): string {
  return webhookId(endpoint, `file.${status}`, [`${id}-${gen}`]);
}

/** Of a window, from what is in it. */
export function windowEventId(endpoint: string, receipts: readonly Pick<Told, 'id' | 'gen'>[]): string {
  return webhookId(
    endpoint,
    'files.settled',
    receipts.map(({ id, gen }) => `${id}-${gen}`),
  );
}

/** Of the end of a batch. */
export function batchEventId(
  endpoint: string,
  { source, batch }: Pick<BatchEnd, 'source' | 'batch'>,
): string {
  return webhookId(endpoint, 'batch.completed', [source, batch]);
}
