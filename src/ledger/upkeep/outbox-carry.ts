import type { Delivery, DeliveryContent } from '../../domain/delivery.ts';
import type { Ledger } from '../ledger-port.ts';
import { openBatchEnds } from '../tables/batch-ends.ts';
import { openOutbox } from '../tables/outbox-store.ts';

/** Where a byte of the journal is after it was written anew. */
export type MovedOffset = (offset: number) => number;

/**
 * What of a journal webhook endpoints still have to be told: compaction keeps these lines although later ones of the
 * same path follow, so that no event is lost and no delivery changes (contract §9).
 */
export interface OwedLines {
  has(offset: number): boolean;
  /** To be told of every line that is kept, in order: where it was, and its bytes with the newline. */
  kept(offset: number, bytes: number): void;
  /** Once all are told. */
  readonly moved: MovedOffset;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

export function owedLines(ledger: Ledger): OwedLines {
  const outbox = openOutbox(ledger);
  const owed: Range[] = [];
  const bounds = new Set<number>();
  for (const name of outbox?.endpoints() ?? []) {
    const state = outbox?.state(name);
    if (outbox == null || state == null) continue;
    bounds.add(state.cursor).add(state.begin);
    if (!state.retired) owed.push({ from: state.cursor, to: ledger.mark() });
    if (state.replay !== null) {
      const { at, to } = state.replay;
      bounds.add(at).add(to);
      owed.push({ from: at, to });
    }
    for (const { content } of outbox.deliveries(name)) {
      if (content.kind === 'batch') continue;
      bounds.add(content.from).add(content.to);
      owed.push(content);
    }
    for (const { from, to } of outbox.windows(name)) bounds.add(from).add(to);
  }
  for (const { mark } of openBatchEnds(ledger)?.after(0, Number.MAX_SAFE_INTEGER) ?? []) bounds.add(mark);
  const ranges = merged(owed);
  const sorted = Float64Array.from(bounds).sort();
  const quota = new Map<number, number>();
  let next = 0;
  let range = 0;
  let written = 0;

  return {
    has(offset) {
      // Asked in the order of the file.
      while ((ranges[range]?.to ?? Number.POSITIVE_INFINITY) <= offset) range += 1;
      return (ranges[range]?.from ?? Number.POSITIVE_INFINITY) <= offset;
    },
    kept(offset, bytes) {
      for (let bound = sorted[next]; bound !== undefined && bound <= offset; bound = sorted[next]) {
        quota.set(bound, written);
        next += 1;
      }
      written += bytes;
    },
    moved: (offset) => quota.get(offset) ?? written,
  };
}

function merged(ranges: readonly Range[]): Range[] {
  const joined: Range[] = [];
  for (const range of ranges.filter(({ from, to }) => from < to).sort((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last === undefined || last.to < range.from) joined.push(range);
    else joined[joined.length - 1] = { from: last.from, to: Math.max(last.to, range.to) };
  }
  return joined;
}

/** Brings what webhook endpoints have been told, and the ends of batches, into a ledger that was built anew. */
export function carryOutbox(before: Ledger, ledger: Ledger, moved: MovedOffset = (offset) => offset): void {
  const from = openOutbox(before);
  const to = openOutbox(ledger);
  const bounded: MovedOffset = (offset) => Math.min(moved(offset), ledger.mark());
  const ended = openBatchEnds(before)?.after(0, Number.MAX_SAFE_INTEGER) ?? [];
  const ends = openBatchEnds(ledger);
  ledger.transact(() => {
    for (const { end, mark } of ended) ends?.add(end, bounded(mark));
  });
  if (from === null || to === null) return;
  ledger.transact(() => {
    for (const name of from.endpoints()) {
      const state = from.state(name);
      if (state === null) continue;
      const { cursor, replay } = state;
      to.putState(name, {
        ...state,
        begin: bounded(state.begin),
        cursor: bounded(cursor),
        replay: replay === null ? null : { at: bounded(replay.at), to: bounded(replay.to) },
      });
      for (const delivery of from.deliveries(name)) to.put(name, movedDelivery(delivery, bounded));
      for (const window of from.windows(name)) {
        const place = { from: bounded(window.from), to: bounded(window.to) };
        // All of it was superseded: nothing is left to be told once more.
        if (place.from < place.to) to.putWindow(name, { ...window, ...place });
      }
    }
  });
}

function movedDelivery(delivery: Delivery, moved: MovedOffset): Delivery {
  const { content } = delivery;
  if (content.kind === 'batch') return delivery;
  const place: DeliveryContent = { ...content, from: moved(content.from), to: moved(content.to) };
  return { ...delivery, content: place };
}
