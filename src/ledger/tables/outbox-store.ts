import type { Delivery, EndpointState } from '../../domain/delivery.ts';
import type { Ledger } from '../ledger-port.ts';

/** A window once made out: replayed, it is the same one, with the same id. */
export interface KnownWindow {
  readonly from: number;
  readonly to: number;
  readonly id: string;
  readonly events: number;
}

/**
 * What webhook endpoints have been told of one source, in its ledger: the journal is the outbox, this is how far each
 * has come (contract §9). Whatever writes is to be called inside `ledger.transact`.
 */
export interface Outbox {
  /** Names of every endpoint ever seen. */
  endpoints(): string[];
  state(endpoint: string): EndpointState | null;
  putState(endpoint: string, state: EndpointState): void;
  delivery(endpoint: string, seq: number): Delivery | null;
  /** In the order they were made out, open and dead. */
  deliveries(endpoint: string, afterSeq?: number): Iterable<Delivery>;
  put(endpoint: string, delivery: Delivery): void;
  remove(endpoint: string, seq: number): void;
  windows(endpoint: string, from?: number): Iterable<KnownWindow>;
  /** The window that holds this byte of the journal. */
  windowOver(endpoint: string, offset: number): KnownWindow | null;
  putWindow(endpoint: string, window: KnownWindow): void;
}

const LAST = Number.MAX_SAFE_INTEGER;

/** @returns null: a reader, of a ledger without endpoints */
export function openOutbox(ledger: Pick<Ledger, 'table'>): Outbox | null {
  const states = ledger.table<EndpointState, string>('webhook-endpoints');
  const deliveries = ledger.table<Delivery, [string, number]>('webhook-deliveries');
  const windows = ledger.table<Omit<KnownWindow, 'from'>, [string, number]>('webhook-windows');
  if (states === null || deliveries === null || windows === null) return null;

  return {
    endpoints: () => [...states.getKeys({})].map(String),
    state: (endpoint) => states.get(endpoint) ?? null,
    putState: (endpoint, state) => void states.putSync(endpoint, state),

    delivery: (endpoint, seq) => deliveries.get([endpoint, seq]) ?? null,
    *deliveries(endpoint, afterSeq = 0) {
      const range = { start: [endpoint, afterSeq + 1], end: [endpoint, LAST] } as const;
      for (const { value } of deliveries.getRange({ start: [...range.start], end: [...range.end] }))
        yield value;
    },
    put: (endpoint, delivery) => void deliveries.putSync([endpoint, delivery.seq], delivery),
    remove: (endpoint, seq) => void deliveries.removeSync([endpoint, seq]),

    *windows(endpoint, from = 0) {
      for (const { key, value } of windows.getRange({ start: [endpoint, from], end: [endpoint, LAST] }))
        yield { ...value, from: key[1] };
    },
    windowOver(endpoint, offset) {
      const range = { start: [endpoint, offset], end: [endpoint, -1], reverse: true, limit: 1 };
      for (const { key, value } of windows.getRange(range as Parameters<typeof windows.getRange>[0]))
        return value.to > offset ? { ...value, from: key[1] } : null;
      return null;
    },
    putWindow: (endpoint, { from, ...window }) => void windows.putSync([endpoint, from], window),
  };
}
