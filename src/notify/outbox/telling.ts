import { newEndpoint } from '../../domain/delivery.ts';
import { SlipwayError } from '../../domain/errors.ts';
import type { Ledger } from '../../ledger/ledger-port.ts';
import type { SourceStore } from '../../ledger/store/source-store.ts';
import { type BatchEnds, openBatchEnds } from '../../ledger/tables/batch-ends.ts';
import { type Outbox, openOutbox } from '../../ledger/tables/outbox-store.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';

/** Who is told of a source, and how what is stored of that is changed. */
export interface Telling {
  readonly endpoints: readonly Endpoint[];
  alter<T>(work: (outbox: Outbox, ends: BatchEnds) => T): T;
  /** This endpoint is to be sent to now: a rest is over, and windows that are begun do not wait. */
  hurry(endpoint: string): void;
}

/** What is kept of a source for webhooks, for its owner. */
export function outboxOf({ ledger }: Pick<SourceStore, 'ledger'>): { outbox: Outbox; ends: BatchEnds } {
  const outbox = openOutbox(ledger);
  const ends = openBatchEnds(ledger);
  if (outbox === null || ends === null)
    throw new SlipwayError('ledger_unreadable', { ledger: ledger.path, reason: 'a table is missing' });
  return { outbox, ends };
}

/** For a process that owns the source for a moment, without telling anybody itself. */
export function tellingOf(store: SourceStore, endpoints: readonly Endpoint[]): Telling {
  const { outbox, ends } = outboxOf(store);
  return { endpoints, alter: (work) => store.ledger.transact(() => work(outbox, ends)), hurry() {} };
}

/** Once for each endpoint: from where on it is told. One that no configuration names any more is retired. */
export function meetEndpoints(
  ledger: Ledger,
  outbox: Outbox,
  ends: BatchEnds,
  endpoints: readonly Endpoint[],
): void {
  const names = new Set(endpoints.map(({ name }) => name));
  const known = outbox.endpoints().flatMap((name) => {
    const state = outbox.state(name);
    return state === null ? [] : [{ name, state }];
  });
  const isNew = endpoints.filter(({ name }) => !known.some((one) => one.name === name));
  const turned = known.filter(({ name, state }) => state.retired === names.has(name));
  if (isNew.length + turned.length === 0) return;
  ledger.transact(() => {
    for (const { name } of isNew) outbox.putState(name, newEndpoint(ledger.mark(), ends.last()));
    for (const { name, state } of turned) outbox.putState(name, { ...state, retired: !names.has(name) });
  });
}
