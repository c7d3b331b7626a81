/*
 * The life of a delivery
 *
 * The journal is the outbox. Per endpoint the ledger holds a cursor (up to where deliveries were made out), and every
 * delivery that is not acknowledged. What is sent is read from the journal again each time.
 *
 *     journal, ends of batches
 *          │ a look at the outbox (outbox/delivery-batch.ts): one transaction moves the cursor and writes the deliveries
 *          ▼
 *     ┌───────┐   due, the endpoint is sent to   ┌─────────┐  2xx
 *     │ fresh │ ───────────────────────────────▶ │ in hand │ ─────▶ acknowledged: removed from the ledger
 *     └───────┘                                  └─────────┘
 *     ┌───────┐ ───────────────────────────────▶   │  │  │ 410: as it was, its endpoint is disabled
 *     │ retry │ ◀──────────────────────────────────┘  │
 *     └───────┘  failed: due by the schedule          │ failed for the tenth time
 *          ▲     given back: nothing became of it     ▼
 *          │                                       ┌──────┐
 *          └────────────────────────────────────── │ dead │ ─────▶ discarded: removed
 *             `failed retry`, `webhooks replay`    └──────┘
 *
 * - It is durable before it is first sent, and its `webhook-id` depends only on endpoint and content. So a kill at any moment
 *   costs a repetition under the same id, never an event.
 * - What became of an attempt is kept here until the next transaction has it (`write`, `written`). A kill in between: sent again.
 * - In memory are at most 10,000 of an endpoint, of them 1,000 never tried; where the ledger has more, they are read in once half of the
 *   room is free, and the journal waits in the meantime. Those that failed and those never tried wait apart, so that a row of
 *   retries holds up nothing new.
 * - Whether an endpoint is sent to at all is its own state, not the delivery's (endpoint-progress.ts): disabled, resting after a row
 *   of failures, or stopping. Such a wait uses up no attempt.
 * - An endpoint is told what is recorded from when it is first seen. A replay is a second stretch of the journal that takes
 *   turns with the first; it makes deliveries of the same ids.
 */

import type { Delivery } from '../../domain/delivery.ts';
import type { Outbox } from '../../ledger/tables/outbox-store.ts';
import { createDueHeap, type DueHeap } from '../../platform/waiting/due-heap.ts';

/** What is due later than this is not waited for. */
const SOON_MS = 10_000;

/**
 * The deliveries of one endpoint that are not acknowledged, in memory and in the order they are due. The ledger is the
 * truth; what does not fit stays there until there is room.
 *
 * A delivery waits in one of two lanes (never tried: in the order they were made; failed: by the time of the next
 * attempt), or it is in hand. Where an attempt led is kept until it is written down.
 */
export class OpenDeliveries {
  readonly #most: number;
  readonly #bySeq = new Map<number, Delivery>();
  readonly #fresh = new Map<number, Delivery>();
  #retries: DueHeap<Delivery> = createDueHeap();
  readonly #inHand = new Set<number>();
  /** null: acknowledged. */
  readonly #ended = new Map<number, Delivery | null>();
  #moreInLedger = false;

  /** @param most bounds memory: some 300 bytes each */
  constructor(most: number) {
    this.#most = most;
  }

  /** Reads them from the ledger, as many as fit. What has ended since counts as it ended. */
  load(stored: Iterable<Delivery>): void {
    this.#bySeq.clear();
    this.#fresh.clear();
    this.#retries = createDueHeap();
    this.#moreInLedger = false;
    for (const delivery of stored) {
      const now = this.#ended.has(delivery.seq) ? this.#ended.get(delivery.seq) : delivery;
      if (now?.state !== 'open') continue;
      this.#moreInLedger = this.#bySeq.size >= this.#most;
      if (this.#moreInLedger) return;
      this.add(now);
    }
  }

  add(delivery: Delivery): void {
    this.#bySeq.set(delivery.seq, delivery);
    if (this.#inHand.has(delivery.seq)) return;
    if (delivery.attempts === 0) this.#fresh.set(delivery.seq, delivery);
    else this.#retries.push(delivery, delivery.dueAtMs);
  }

  /** Takes the one in hand that has been due for longest; null: none is due. */
  take(nowMs: number): Delivery | null {
    const [fresh] = this.#fresh.values();
    const retryAtMs = this.#retries.nextMs() ?? Number.POSITIVE_INFINITY;
    const isRetryFirst = fresh === undefined || retryAtMs < fresh.dueAtMs;
    const delivery = isRetryFirst ? this.#retries.pop(nowMs) : fresh;
    if (delivery === null) return null;
    this.#fresh.delete(delivery.seq);
    this.#inHand.add(delivery.seq);
    return delivery;
  }

  /** @param after what became of one in hand; null: acknowledged */
  end(seq: number, after: Delivery | null): void {
    this.#inHand.delete(seq);
    this.#ended.set(seq, after);
    this.#bySeq.delete(seq);
    if (after?.state === 'open') this.add(after);
  }

  /** Nothing became of it: it waits again, at the moment it says. */
  giveBack(delivery: Delivery): void {
    this.#inHand.delete(delivery.seq);
    if (!this.#bySeq.has(delivery.seq)) return;
    this.#bySeq.set(delivery.seq, delivery);
    this.#retries.push(delivery, delivery.dueAtMs);
  }

  /** Inside a transaction. */
  write(outbox: Outbox, endpoint: string): void {
    for (const [seq, after] of this.#ended) {
      if (after === null) outbox.remove(endpoint, seq);
      else outbox.put(endpoint, after);
    }
  }

  /** The transaction is durable. Nothing has ended in between: it is one step of this thread. */
  written(): void {
    this.#ended.clear();
  }

  hasUnwritten(): boolean {
    return this.#ended.size > 0;
  }

  inHand(): number {
    return this.#inHand.size;
  }

  /** Whether the ledger has more, and half of the room is free for them. */
  wantsMore(): boolean {
    return this.#moreInLedger && this.#bySeq.size < this.#most / 2;
  }

  /** For new ones; those that were made before come first. @param mostFresh of those never tried */
  room(mostFresh: number): number {
    if (this.#moreInLedger) return 0;
    return Math.min(mostFresh - this.#fresh.size, this.#most - this.#bySeq.size);
  }

  isFull(): boolean {
    return this.#moreInLedger || this.#bySeq.size >= this.#most;
  }

  /** Epoch milliseconds at which the next one is due; null: none waits. */
  dueAtMs(): number | null {
    const [fresh] = this.#fresh.values();
    const retryAtMs = this.#retries.nextMs();
    return fresh === undefined ? retryAtMs : Math.min(fresh.dueAtMs, retryAtMs ?? Number.POSITIVE_INFINITY);
  }

  /** Whether one is in hand, never tried, or due again within seconds. */
  hasSoon(nowMs: number): boolean {
    if (this.#inHand.size + this.#fresh.size > 0) return true;
    return (this.#retries.nextMs() ?? Number.POSITIVE_INFINITY) <= nowMs + SOON_MS;
  }

  values(): Iterable<Delivery> {
    return this.#bySeq.values();
  }
}
