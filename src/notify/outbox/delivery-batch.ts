import type { EndpointState } from '../../domain/delivery.ts';
import { linesFrom } from '../../ledger/journal/journal-at.ts';
import type { BatchEnds } from '../../ledger/tables/batch-ends.ts';
import type { KnownWindow, Outbox } from '../../ledger/tables/outbox-store.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import {
  type BuiltDelivery,
  buildDeliveries,
  deliveryOfWindow,
  wantsFiles,
} from '../event/build-deliveries.ts';
import { batchBody } from '../event/event-body.ts';
import { batchEventId } from '../event/webhook-id.ts';

/** What one look at the outbox makes of it. */
export interface DeliveryBatch {
  /** Where the endpoint stood when it was looked for. */
  readonly from: Pick<EndpointState, 'cursor' | 'batchSeq' | 'replay'>;
  readonly deliveries: readonly BuiltDelivery[];
  /** Windows that are to be the same ones when they are replayed. */
  readonly windows: readonly KnownWindow[];
  readonly cursor: number;
  readonly batchSeq: number;
  readonly replay: EndpointState['replay'];
  /** A window that is not full may wait so long for more; null: none. */
  readonly waitMs: number | null;
}

export interface DeliveryBatchOptions {
  readonly endpoint: Endpoint;
  readonly state: EndpointState;
  readonly outbox: Outbox;
  readonly ends: BatchEnds;
  /** Path of the journal. */
  readonly journal: string;
  /** Journal bytes that are committed. */
  readonly mark: number;
  /** Most deliveries. */
  readonly room: number;
  /** Windows are not to wait. */
  readonly close: boolean;
  /** What is told once more comes first this time: in turns, neither waits for the other to end. */
  readonly replayFirst: boolean;
  readonly now: number;
}

/** A look takes no more lines than this: as many as may be under way, one by one. */
const LINES_PER_LOOK = 1_000;
/** In windows a transaction is shared by more. */
const LINES_PER_LOOK_IN_WINDOWS = 4_000;
/** Lines that are of no interest take no room. */
const LINES_ON_TOP = 32;
/** Of one window, those that are not told included. */
const MOST_LINES = 100_000;

/** Makes the next deliveries to an endpoint; null when there is nothing new for it. Reads, writes nothing. */
export async function nextDeliveryBatch(options: DeliveryBatchOptions): Promise<DeliveryBatch | null> {
  const { endpoint, state, ends, mark } = options;
  const wantsBatches = endpoint.events.includes('batch.completed');
  const lastBatch = ends.last();
  const news = state.cursor < mark || state.batchSeq < lastBatch;
  if (state.replay !== null && (options.replayFirst || !news)) return await cutReplay(options, state.replay);
  if (!news) return null;

  let batchSeq = wantsBatches ? state.batchSeq : lastBatch;
  /** The end of a batch is told after its files have been made out; it does not wait for what was recorded since. */
  function endsUpTo(cursor: number, room: number): BuiltDelivery[] {
    const made: BuiltDelivery[] = [];
    if (batchSeq >= lastBatch || room <= 0) return made;
    for (const { seq, end, mark: endMark } of ends.after(batchSeq, room)) {
      // One that came while the lines were read ends behind lines that this look does not know.
      if (seq > lastBatch || cursor < Math.min(endMark, mark)) break;
      made.push(deliveryOfBatchEnd(endpoint.name, end));
      batchSeq = seq;
    }
    return made;
  }

  // First what was not told for want of room: a backlog behind it would take all of it again.
  const early = endsUpTo(state.cursor, options.room);
  const room = options.room - early.length;
  const files = await cutFiles({ ...options, room }, batchSeq < lastBatch);
  const late = endsUpTo(files.cursor, room - files.deliveries.length);
  if (files.cursor === state.cursor && batchSeq === state.batchSeq && files.waitMs === null) return null;
  return {
    ...files,
    from: state,
    deliveries: [...early, ...files.deliveries, ...late],
    batchSeq,
    replay: state.replay,
  };
}

export function deliveryOfBatchEnd(endpoint: string, end: Parameters<typeof batchBody>[0]): BuiltDelivery {
  return {
    id: batchEventId(endpoint, end),
    content: { kind: 'batch', batch: end.batch },
    events: 1,
    eventAtMs: Date.parse(end.completedAt),
    body: batchBody(end),
  };
}

async function cutFiles(
  { endpoint, state, journal, mark, room, close, now }: DeliveryBatchOptions,
  batchEnded: boolean,
): Promise<Pick<DeliveryBatch, 'deliveries' | 'windows' | 'cursor' | 'waitMs'>> {
  if (wantsFiles(endpoint).length === 0) return { deliveries: [], windows: [], cursor: mark, waitMs: null };
  if (room <= 0) return { deliveries: [], windows: [], cursor: state.cursor, waitMs: null };
  // What there is no room for would be decoded again by the next look.
  const linesPerLook =
    endpoint.batch === null
      ? Math.min(LINES_PER_LOOK, room + LINES_ON_TOP)
      : Math.min(LINES_PER_LOOK_IN_WINDOWS, room * endpoint.batch.maxItems + LINES_ON_TOP);
  const lines = await linesFrom(journal, { from: state.cursor, to: mark }, linesPerLook);
  const reachesEnd = (lines.at(-1)?.to ?? mark) >= mark;
  const made = buildDeliveries(lines, endpoint, {
    from: state.cursor,
    room,
    now,
    // A full look that ends within a window would be the same look again.
    close: close || batchEnded || !reachesEnd,
  });
  return {
    deliveries: made.deliveries,
    windows: made.deliveries.flatMap(windowOf),
    cursor: lines.length === 0 ? mark : made.at,
    waitMs: made.waitMs,
  };
}

/** What is told once more: windows as they were, and what was never told in windows of now. */
async function cutReplay(
  { endpoint, state, outbox, journal, room, now }: DeliveryBatchOptions,
  replay: NonNullable<EndpointState['replay']>,
): Promise<DeliveryBatch> {
  const { name, batch } = endpoint;
  const deliveries: BuiltDelivery[] = [];
  const windows: KnownWindow[] = [];
  let { at } = replay;
  const wanted = wantsFiles(endpoint);
  let looked = 0;
  while (at < replay.to && deliveries.length < room && looked < LINES_PER_LOOK && wanted.length > 0) {
    const known = batch === null ? null : outbox.windowOver(name, at);
    if (known !== null) {
      const lines = await linesFrom(journal, known, MOST_LINES);
      const told = lines.filter(({ receipt }) => wanted.includes(`file.${receipt.status}`));
      if (told.length > 0) deliveries.push({ ...deliveryOfWindow(name, told, wanted), id: known.id });
      looked += lines.length;
      at = known.to;
      continue;
    }
    const next = batch === null ? undefined : first(outbox.windows(name, at));
    const to = Math.min(replay.to, next?.from ?? replay.to);
    const lines = await linesFrom(journal, { from: at, to }, LINES_PER_LOOK);
    const made = buildDeliveries(lines, endpoint, {
      from: at,
      room: room - deliveries.length,
      now,
      close: true,
    });
    deliveries.push(...made.deliveries);
    windows.push(...made.deliveries.flatMap(windowOf));
    looked += Math.max(1, lines.length);
    at = lines.length === 0 ? to : made.at;
  }
  const over = at >= replay.to || wanted.length === 0;
  return {
    ...{ from: state, deliveries, windows, waitMs: null },
    ...{ cursor: state.cursor, batchSeq: state.batchSeq },
    replay: over ? null : { at, to: replay.to },
  };
}

export function windowOf({ id, content, events }: BuiltDelivery): KnownWindow[] {
  return content.kind === 'receipts' ? [{ from: content.from, to: content.to, id, events }] : [];
}

function first<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}
