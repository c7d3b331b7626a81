import type { Delivery, DeliveryContent } from '../../domain/delivery.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { readSourceLedger } from '../../ledger/store/source-store.ts';
import { openOutbox } from '../../ledger/tables/outbox-store.ts';
import type { Endpoint } from '../../notify/endpoint/endpoint.ts';
import { wantsFiles } from '../../notify/event/build-deliveries.ts';
import type { TraceEvent } from './trace-event.ts';

/**
 * How far each endpoint has been told of the latest receipt of a file version; read beside a running owner or without
 * one. Says nothing of endpoints that were first seen later.
 */
export async function deliveryEvents(
  receipt: Receipt,
  options: { readonly dataDir: string; readonly source: string; readonly endpoints: readonly Endpoint[] },
): Promise<TraceEvent[]> {
  const ledger = readSourceLedger(options.dataDir, options.source);
  try {
    const outbox = ledger === null ? null : openOutbox(ledger);
    const place = ledger?.find(receipt.id) ?? null;
    if (outbox === null || place === null || place.gen !== receipt.gen) return [];
    const version = `${receipt.id}-${receipt.gen}`;
    return options.endpoints.flatMap((endpoint): TraceEvent[] => {
      const state = outbox.state(endpoint.name);
      if (state === null || !wantsFiles(endpoint).includes(`file.${receipt.status}`)) return [];
      if (place.offset < state.begin) return [];
      const webhook = `webhook ${endpoint.name}`;
      if (place.offset >= state.cursor) {
        const why = state.disabled === null ? 'not yet' : `disabled: ${state.disabled.reason}`;
        return [{ at: null, event: 'waiting', detail: `${webhook}: ${why}`, version }];
      }
      const delivery = deliveryOf(outbox.deliveries(endpoint.name), place.offset);
      if (delivery === null) return [{ at: null, event: 'delivered', detail: webhook, version }];
      return [{ ...standing(delivery, webhook), version }];
    });
  } finally {
    await ledger?.close();
  }
}

function deliveryOf(deliveries: Iterable<Delivery>, offset: number): Delivery | null {
  for (const delivery of deliveries) if (holds(delivery.content, offset)) return delivery;
  return null;
}

function holds(content: DeliveryContent, offset: number): boolean {
  return content.kind !== 'batch' && content.from <= offset && offset < content.to;
}

function standing({ id, state, attempts, dueAtMs, last }: Delivery, webhook: string) {
  const tried =
    attempts === 0 ? 'under way' : `${attempts} failed attempts, last ${last?.summary ?? 'unknown'}`;
  if (state === 'dead')
    return { at: last?.at ?? null, event: 'undelivered', detail: `${webhook} ${id}: ${tried}` } as const;
  const at = attempts === 0 ? null : new Date(dueAtMs).toISOString();
  return { at, event: 'waiting', detail: `${webhook} ${id}: ${tried}` } as const;
}
