import { type Delivery, type EndpointState, newEndpoint } from '../../domain/delivery.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { linesFrom, offsetOfMoment } from '../../ledger/journal/journal-at.ts';
import { receiptLines } from '../../ledger/journal/latest-lines.ts';
import type { SourceStore } from '../../ledger/store/source-store.ts';
import type { BatchEnds } from '../../ledger/tables/batch-ends.ts';
import type { Outbox } from '../../ledger/tables/outbox-store.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import {
  type BuiltDelivery,
  deliveryOfReceipt,
  deliveryOfWindow,
  wantsFiles,
} from '../event/build-deliveries.ts';
import { batchEventId, receiptEventId } from '../event/webhook-id.ts';
import { deliveryOfBatchEnd, windowOf } from './delivery-batch.ts';
import type { Telling } from './telling.ts';

/** What is to be told once more. Nothing secret: it travels through Redis. */
export type ReplayWhat =
  /** Everything recorded since, epoch milliseconds. */
  | { readonly kind: 'since'; readonly atMs: number }
  /** A webhook-id, a file version or a batch. */
  | { readonly kind: 'id'; readonly id: string }
  /** Dead deliveries. */
  | { readonly kind: 'failed' }
  /** What waits is sent now: for its next attempt, for more of its window, for an endpoint that rests or is disabled. */
  | { readonly kind: 'now' }
  /** Not to be told at all: a dead delivery by its webhook-id, or (null) every one. */
  | { readonly kind: 'discard'; readonly id: string | null };

export interface ReplayedEndpoint {
  readonly endpoint: string;
  /** Deliveries that go again; null: a stretch of the journal, made out as it is sent. */
  readonly deliveries: number | null;
  /** It was disabled, and is delivered to again. */
  readonly enabled: boolean;
}

/**
 * Has events told once more, under the ids they had, and enables what was disabled; an id that nothing is found for
 * enables nothing. Durable when it resolves. For the source's owner only. What is to be given up may be of an endpoint
 * that is not configured any more.
 * @param name of one endpoint; null: every one of the source
 * @throws SlipwayError `usage` when this process knows no such endpoint to send to, `disk_full`, `ledger_unwritable`
 */
export async function replayDeliveries(
  { journal, ledger }: SourceStore,
  telling: Telling,
  what: ReplayWhat,
  name: string | null,
): Promise<ReplayedEndpoint[]> {
  if (what.kind === 'discard') return discardDead(telling, what.id, name);
  const endpoints = telling.endpoints.filter((endpoint) => name === null || endpoint.name === name);
  if (endpoints.length === 0 && name !== null) {
    throw new SlipwayError('usage', {
      problem: `the process that works on the source knows no webhook ${name}: restart it with the config that has it`,
    });
  }
  const mark = ledger.mark();
  const { path } = journal;
  const from = what.kind === 'since' ? await offsetOfMoment(path, mark, what.atMs) : mark;
  const found = new Map<string, BuiltDelivery[]>();
  if (what.kind === 'id') {
    for (const endpoint of endpoints)
      found.set(endpoint.name, await madeOutById(what.id, endpoint, { path, mark, ledger, telling }));
  }
  const answers = telling.alter((outbox, ends) =>
    endpoints.map((endpoint) => {
      const state = outbox.state(endpoint.name) ?? newEndpoint(mark, ends.last());
      const job = { endpoint, outbox, ends, state };
      if (what.kind === 'failed') return replayFailed(job);
      if (what.kind === 'now') return dueNow(job);
      if (what.kind === 'since') return replaySince(job, from, what.atMs);
      const made = found.get(endpoint.name) ?? [];
      // An endpoint that the id means nothing to stays as it is, disabled too.
      return made.length === 0
        ? { endpoint: endpoint.name, deliveries: 0, enabled: false }
        : replayMadeOut(job, made, state);
    }),
  );
  if (what.kind === 'now') for (const endpoint of endpoints) telling.hurry(endpoint.name);
  return answers;
}

interface Job {
  readonly endpoint: Endpoint;
  readonly outbox: Outbox;
  readonly ends: BatchEnds;
  readonly state: EndpointState;
}

function replayFailed({ endpoint, outbox, state }: Job): ReplayedEndpoint {
  const dead = [...outbox.deliveries(endpoint.name)].filter((delivery) => delivery.state === 'dead');
  for (const delivery of dead) outbox.put(endpoint.name, opened(delivery));
  return enable(endpoint, outbox, state, { ...state, dead: 0 }, dead.length);
}

/** Each goes on counting its attempts: an endpoint that is still down gives up no sooner or later than before. */
function dueNow({ endpoint, outbox, state }: Job): ReplayedEndpoint {
  const open = [...outbox.deliveries(endpoint.name)].filter((delivery) => delivery.state === 'open');
  for (const delivery of open) outbox.put(endpoint.name, { ...delivery, dueAtMs: 0 });
  return enable(endpoint, outbox, state, state, open.length);
}

function discardDead(telling: Telling, id: string | null, only: string | null): ReplayedEndpoint[] {
  return telling.alter((outbox) =>
    outbox
      .endpoints()
      .filter((name) => only === null || name === only)
      .map((name) => {
        const dead = [...outbox.deliveries(name)].filter(
          (delivery) => delivery.state === 'dead' && (id === null || delivery.id === id),
        );
        for (const { seq } of dead) outbox.remove(name, seq);
        const state = outbox.state(name);
        if (state !== null) outbox.putState(name, { ...state, dead: state.dead - dead.length });
        return { endpoint: name, deliveries: dead.length, enabled: false };
      }),
  );
}

function replaySince(job: Job, from: number, atMs: number): ReplayedEndpoint {
  const { endpoint, outbox, ends, state } = job;
  // A window that began before the moment is told as the window it was.
  const over = endpoint.batch === null ? null : outbox.windowOver(endpoint.name, from);
  const at = Math.min(over?.from ?? from, state.replay?.at ?? from);
  const to = Math.max(state.cursor, state.replay?.to ?? 0);
  const batches = endpoint.events.includes('batch.completed')
    ? ends
        .after(0, Number.MAX_SAFE_INTEGER)
        .filter(({ seq, end }) => seq <= state.batchSeq && Date.parse(end.completedAt) >= atMs)
    : [];
  const next = { ...state, replay: at < to ? { at, to } : state.replay };
  const made = batches.map(({ end }) => deliveryOfBatchEnd(endpoint.name, end));
  return { ...replayMadeOut(job, made, next), deliveries: null };
}

function replayMadeOut(
  { endpoint, outbox, state }: Job,
  made: readonly BuiltDelivery[],
  next: EndpointState,
) {
  let { nextSeq } = next;
  let { dead } = next;
  const known = new Map([...outbox.deliveries(endpoint.name)].map((delivery) => [delivery.id, delivery]));
  for (const one of made) {
    const there = known.get(one.id);
    if (there !== undefined) {
      if (there.state === 'dead') dead -= 1;
      outbox.put(endpoint.name, opened(there));
      continue;
    }
    const { body: _, ...out } = one;
    outbox.put(endpoint.name, opened({ ...out, seq: nextSeq, ...NEVER_TRIED }));
    for (const window of windowOf(one)) {
      if (outbox.windowOver(endpoint.name, window.from) === null) outbox.putWindow(endpoint.name, window);
    }
    nextSeq += 1;
  }
  return enable(endpoint, outbox, state, { ...next, nextSeq, dead }, made.length);
}

const NEVER_TRIED = { attempts: 0, dueAtMs: 0, state: 'open', last: null } as const;

/** Due at once, with every attempt before it again. */
function opened(delivery: Delivery): Delivery {
  return { ...delivery, state: 'open', attempts: 0, dueAtMs: 0 };
}

function enable(
  { name }: Endpoint,
  outbox: Outbox,
  before: EndpointState,
  next: EndpointState,
  deliveries: number,
): ReplayedEndpoint {
  const enabled = before.disabled !== null;
  outbox.putState(name, enabled ? { ...next, disabled: null, failingSinceMs: null } : next);
  return { endpoint: name, deliveries, enabled };
}

async function madeOutById(
  id: string,
  endpoint: Endpoint,
  options: {
    readonly path: string;
    readonly mark: number;
    readonly ledger: SourceStore['ledger'];
    readonly telling: Telling;
  },
): Promise<BuiltDelivery[]> {
  const { path, mark, ledger, telling } = options;
  const { name } = endpoint;
  const recorded = ledger.find(id);
  if (recorded !== null) return await madeOutAt(recorded.offset, endpoint, path, mark, telling);
  const stored = telling.alter((outbox, ends) => {
    const end = ends
      .after(0, Number.MAX_SAFE_INTEGER)
      .find((one) => one.end.batch === id || batchEventId(name, one.end) === id);
    const delivery = [...outbox.deliveries(name)].find((one) => one.id === id);
    const window = [...outbox.windows(name)].find((one) => one.id === id);
    return { end, content: delivery?.content, from: window?.from };
  });
  if (stored.end !== undefined) return [deliveryOfBatchEnd(name, stored.end.end)];
  const { content } = stored;
  const place = content !== undefined && content.kind !== 'batch' ? content.from : stored.from;
  if (place !== undefined) return await madeOutAt(place, endpoint, path, mark, telling);
  if (mark === 0) return [];
  // An event that was acknowledged long ago: only the journal knows it.
  for await (const lines of receiptLines(path, { from: 0, to: mark })) {
    const line = lines.find(({ receipt }) => receiptEventId(name, receipt) === id);
    if (line !== undefined) return await madeOutAt(line.line.offset, endpoint, path, mark, telling);
  }
  return [];
}

/** The event of the line there, or the window it was told in. */
async function madeOutAt(
  offset: number,
  endpoint: Endpoint,
  path: string,
  mark: number,
  telling: Telling,
): Promise<BuiltDelivery[]> {
  const wanted = wantsFiles(endpoint);
  const window = telling.alter((outbox) => outbox.windowOver(endpoint.name, offset));
  const inWindows = endpoint.batch !== null;
  const range = inWindows && window !== null ? window : { from: offset, to: mark };
  const lines = await linesFrom(path, range, inWindows && window !== null ? Number.MAX_SAFE_INTEGER : 1);
  const told = lines.filter(({ receipt }) => wanted.includes(`file.${receipt.status}`));
  const [first] = told;
  if (first === undefined) return [];
  if (!inWindows) return [deliveryOfReceipt(endpoint.name, first)];
  const made = deliveryOfWindow(endpoint.name, told, wanted);
  return [window === null ? made : { ...made, id: window.id }];
}
