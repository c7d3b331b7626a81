import type { Delivery, EndpointState } from '../../domain/delivery.ts';
import { type Endpoint, shownTarget } from './endpoint.ts';
import type { EndpointReport } from './endpoint-sender-options.ts';

/**
 * What `status` shows of an endpoint.
 * @param facts.failing nothing but failures lately
 * @param facts.mark journal bytes that are committed
 */
export function endpointReport(
  endpoint: Endpoint,
  state: EndpointState,
  open: ReadonlyMap<number, Delivery>,
  options: { readonly failing: boolean; readonly mark: number },
): EndpointReport {
  let oldestMs = Number.POSITIVE_INFINITY;
  let pending = 0;
  for (const { eventAtMs, events } of open.values()) {
    oldestMs = Math.min(oldestMs, eventAtMs);
    pending += events;
  }
  return {
    name: endpoint.name,
    target: shownTarget(endpoint),
    health: state.disabled !== null ? 'disabled' : options.failing ? 'failing' : 'ok',
    pending,
    behindBytes: Math.max(0, options.mark - state.cursor),
    oldestUnacknowledged: Number.isFinite(oldestMs) ? new Date(oldestMs).toISOString() : null,
    dead: state.dead,
    disabled: state.disabled?.reason ?? null,
    last: state.last,
  };
}
