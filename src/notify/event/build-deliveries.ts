import type { DeliveryContent, FileEvent, WebhookEvent } from '../../domain/delivery.ts';
import { FILE_EVENTS } from '../../domain/delivery.ts';
import type { Receipt } from '../../domain/receipt.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { type EventBody, fileEventOf, receiptBody, windowBody } from './event-body.ts';
import { receiptEventId, windowEventId } from './webhook-id.ts';

/** A committed line of the journal. */
export interface JournaledReceipt {
  readonly from: number;
  /** Behind its newline. */
  readonly to: number;
  readonly receipt: Receipt;
  readonly line: string;
}

/** A delivery before it is written down. */
export interface BuiltDelivery {
  readonly id: string;
  readonly content: DeliveryContent;
  readonly events: number;
  /** Epoch milliseconds of the oldest of them. */
  readonly eventAtMs: number;
  /** Saves reading them again when it is sent at once. */
  readonly body: EventBody;
}

export interface DeliveryBuilding {
  readonly deliveries: readonly BuiltDelivery[];
  /** Everything before it is told, or of no interest. */
  readonly at: number;
  /** A window that is not full yet and may wait so long for more; null: none. */
  readonly waitMs: number | null;
}

export function wantsFiles({ events }: Pick<Endpoint, 'events'>): FileEvent[] {
  const wanted: readonly WebhookEvent[] = events;
  return FILE_EVENTS.filter((event) => wanted.includes(event));
}

/**
 * Makes deliveries of what the journal says next: one per receipt, or windows by count and time.
 * @param lines in order, without gaps
 * @param options.from byte at which the first line begins
 * @param options.room most deliveries
 * @param options.now epoch milliseconds
 * @param options.close a window that is not full is not to wait
 */
export function buildDeliveries(
  lines: readonly JournaledReceipt[],
  endpoint: Pick<Endpoint, 'name' | 'events' | 'batch'>,
  options: { readonly from: number; readonly room: number; readonly now: number; readonly close: boolean },
): DeliveryBuilding {
  const { name, batch } = endpoint;
  const wanted = wantsFiles(endpoint);
  const deliveries: BuiltDelivery[] = [];
  let at = options.from;
  let window: JournaledReceipt[] = [];
  for (const line of lines) {
    if (deliveries.length >= options.room) return { deliveries, at, waitMs: null };
    if (!wanted.includes(fileEventOf(line.receipt))) {
      if (window.length === 0) at = line.to;
      continue;
    }
    if (batch === null) deliveries.push(deliveryOfReceipt(name, line));
    else {
      window.push(line);
      if (window.length < batch.maxItems) continue;
      deliveries.push(deliveryOfWindow(name, window, wanted));
      window = [];
    }
    at = line.to;
  }
  const [oldest] = window;
  const newest = window.at(-1);
  if (batch === null || oldest === undefined || newest === undefined) return { deliveries, at, waitMs: null };
  const waitMs = recordedAtMs(oldest.receipt) + batch.maxWait - options.now;
  // A clock that was set back must not make it wait for longer than it may.
  if (!options.close && waitMs > 0) return { deliveries, at, waitMs: Math.min(waitMs, batch.maxWait) };
  deliveries.push(deliveryOfWindow(name, window, wanted));
  return { deliveries, at: newest.to, waitMs: null };
}

export function deliveryOfReceipt(
  endpoint: string,
  { receipt, line, from, to }: JournaledReceipt,
): BuiltDelivery {
  return {
    id: receiptEventId(endpoint, receipt),
    content: { kind: 'receipt', from, to },
    events: 1,
    eventAtMs: recordedAtMs(receipt),
    body: receiptBody(receipt, line),
  };
}

/** @param window at least one */
export function deliveryOfWindow(
  endpoint: string,
  window: readonly JournaledReceipt[],
  events: readonly FileEvent[],
): BuiltDelivery {
  const receipts = window.map(({ receipt }) => receipt);
  const [oldest] = receipts;
  return {
    id: windowEventId(endpoint, receipts),
    content: { kind: 'receipts', from: window[0]?.from ?? 0, to: window.at(-1)?.to ?? 0, events },
    events: receipts.length,
    eventAtMs: oldest === undefined ? 0 : recordedAtMs(oldest),
    body: windowBody(receipts),
  };
}

function recordedAtMs({ recordedAt }: Receipt): number {
  const ms = Date.parse(recordedAt);
  return Number.isNaN(ms) ? 0 : ms;
}
