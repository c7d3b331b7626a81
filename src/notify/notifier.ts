import type { EndpointReport } from '../domain/delivery.ts';
import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { IntentOf } from '../ledger/intent.ts';
import { replayJournal } from '../ledger/journal/journal-replay.ts';
import type { SourceStore } from '../ledger/store/source-store.ts';
import type { BatchEnds } from '../ledger/tables/batch-ends.ts';
import type { Outbox } from '../ledger/tables/outbox-store.ts';
import { createWaker } from '../platform/waiting/waker.ts';
import type { Endpoint } from './endpoint/endpoint.ts';
import { EndpointSender, type EndpointSenderOptions } from './endpoint/endpoint-sender.ts';
import { RETRY_SCHEDULE_MS } from './endpoint/retry-schedule.ts';
import type { DeliveryBatch } from './outbox/delivery-batch.ts';
import { meetEndpoints, outboxOf, type Telling } from './outbox/telling.ts';
import { openSender, type Sender, type SenderOptions } from './send/open-sender.ts';

/** When things are looked at and tried again. */
export interface NotifyTiming extends Pick<EndpointSenderOptions, 'scheduleMs' | 'mostOpen'> {
  /** Between two transactions: what ends meanwhile shares the next one. */
  readonly spacingMs: number;
  /** Without any sign of news. */
  readonly pollMs: number;
}

export interface NotifierOptions {
  readonly source: string;
  /** Of this source. */
  readonly endpoints: readonly Endpoint[];
  /** Only this one is told now; left out: each of them. */
  readonly only?: string | undefined;
  readonly store: SourceStore;
  readonly intentOf: IntentOf | undefined;
  readonly senders: SenderOptions;
  readonly timing?: NotifyTiming | undefined;
  readonly failpoint?: EndpointSenderOptions['failpoint'] | undefined;
  readonly log: Log;
  readonly now: () => number;
}

/** Tells endpoints what is recorded of one source. */
export interface Notifier extends Telling {
  /** Something was recorded. Cheap, may be called for each. */
  wake(): void;
  /** Resolves when every endpoint was told of everything once, or cannot be told now; also when it is closed. */
  caughtUp(): Promise<void>;
  report(): EndpointReport[];
  close(): Promise<void>;
}

export const NOTIFY_TIMING: NotifyTiming = {
  scheduleMs: RETRY_SCHEDULE_MS,
  spacingMs: 100,
  pollMs: 1_000,
};

/** Requests under way may end within it; what is cut short is sent again. */
const CLOSE_GRACE_MS = 1_000;
const AFTER_ERROR_MS = 1_000;
/** So many times as long as a transaction took until the next one. */
const DISK_REST = 5;
const MOST_SPACING_MS = 1_000;
const NOTHING = (): void => {};

/**
 * Starts telling. What is told is read from the journal (contract §9): an endpoint that is first seen now is told what is
 * recorded from here on, so this comes before the recorder.
 * @throws SlipwayError `journal_corrupt`, `disk_full`, `ledger_unwritable`
 */
export async function startNotifier(options: NotifierOptions): Promise<Notifier> {
  const { store, endpoints, log, intentOf } = options;
  await replayJournal({ journal: store.journal, ledger: store.ledger, log, intentOf });
  const { outbox, ends } = outboxOf(store);
  meetEndpoints(store.ledger, outbox, ends, endpoints);
  return new SourceNotifier(options, outbox, ends);
}

/**
 * The one loop of a source: it looks for news of every endpoint, writes down in one transaction what has ended and what
 * is new, and only then has it sent. Attempts run beside it.
 */
class SourceNotifier implements Notifier {
  readonly endpoints: readonly Endpoint[];
  readonly #options: NotifierOptions;
  readonly #timing: NotifyTiming;
  readonly #outbox: Outbox;
  readonly #ends: BatchEnds;
  readonly #signal = createWaker();
  readonly #byName: ReadonlyMap<string, EndpointSender>;
  readonly #senders: readonly EndpointSender[];
  readonly #ways: Sender[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #running: Promise<void>;
  #stopping = false;

  constructor(options: NotifierOptions, outbox: Outbox, ends: BatchEnds) {
    this.#options = options;
    this.endpoints = options.endpoints;
    this.#timing = options.timing ?? NOTIFY_TIMING;
    this.#outbox = outbox;
    this.#ends = ends;
    const told = options.endpoints.filter(({ name }) => name === (options.only ?? name));
    this.#byName = new Map(told.map((endpoint) => [endpoint.name, this.#senderOf(endpoint)]));
    this.#senders = [...this.#byName.values()];
    this.#running = this.#senders.length === 0 ? Promise.resolve() : this.#run();
  }

  #senderOf(endpoint: Endpoint): EndpointSender {
    const { source, store, failpoint = NOTHING, log, now, senders } = this.#options;
    const way = openSender(endpoint, senders);
    this.#ways.push(way);
    return new EndpointSender({
      ...{ endpoint, source, outbox: this.#outbox, ends: this.#ends, journal: store.journal.path },
      ...{ scheduleMs: this.#timing.scheduleMs, mostOpen: this.#timing.mostOpen, failpoint, log, now },
      ...{ send: way.send, wake: this.#signal.wake, random: Math.random },
    });
  }

  readonly wake = (): void => this.#signal.wake();

  report(): EndpointReport[] {
    return this.#senders.map((sender) => sender.report(this.#mark()));
  }

  caughtUp(): Promise<void> {
    if (this.#senders.length === 0 || this.#stopping) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.add(resolve);
      this.wake();
    });
  }

  alter<T>(work: (outbox: Outbox, ends: BatchEnds) => T): T {
    this.#write(new Map());
    const result = this.#options.store.ledger.transact(() => work(this.#outbox, this.#ends));
    for (const sender of this.#senders) sender.reload();
    this.wake();
    return result;
  }

  hurry(name: string): void {
    this.#byName.get(name)?.hurry(this.#mark());
    this.wake();
  }

  async close(): Promise<void> {
    this.#stopping = true;
    for (const sender of this.#senders) sender.pause();
    this.wake();
    await this.#running;
    await Promise.all(this.#senders.map((sender) => sender.close(CLOSE_GRACE_MS)));
    await Promise.all(this.#ways.map((way) => way.close()));
    this.#write(new Map());
    this.#resolveWaiting();
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stopping) {
      try {
        const changed = await this.#step();
        failures = 0;
        await this.#signal.sleep(changed ? 0 : this.#sleepMs());
      } catch (error) {
        failures += 1;
        const { source, log } = this.#options;
        if (failures === 1)
          log.error({ source, reason: reasonOf(error) }, 'webhooks wait: what they are told cannot be kept');
        await this.#pause(AFTER_ERROR_MS);
      }
    }
  }

  /** @returns whether something was written */
  async #step(): Promise<boolean> {
    const beganMs = performance.now();
    const found = new Map<EndpointSender, DeliveryBatch | null>();
    for (const sender of this.#senders)
      found.set(sender, await sender.look(this.#mark(), this.#waiting.size > 0));
    const writeBeganMs = performance.now();
    const changed = this.#write(found);
    const wroteMs = performance.now() - writeBeganMs;
    if (changed) await this.#options.failpoint?.('made-out');
    for (const sender of this.#senders) sender.feed();
    if (this.#senders.every((sender) => sender.isCaughtUp(this.#mark()))) this.#resolveWaiting();
    // A transaction holds up the event loop for as long as the disk takes: on a slow one it is shared by more.
    const spacingMs = Math.min(this.#timing.spacingMs + wroteMs * DISK_REST, MOST_SPACING_MS);
    if (changed) await this.#pause(spacingMs - (performance.now() - beganMs));
    return changed;
  }

  #write(found: ReadonlyMap<EndpointSender, DeliveryBatch | null>): boolean {
    const busy = this.#senders.filter((sender) => sender.hasChanges() || isNews(found.get(sender) ?? null));
    if (busy.length === 0) return false;
    const { ledger } = this.#options.store;
    const durable = ledger.transact(() => busy.map((sender) => sender.write(found.get(sender) ?? null)));
    for (const settle of durable) settle();
    return true;
  }

  #sleepMs(): number {
    const { pollMs, spacingMs } = this.#timing;
    const due = this.#senders.map((sender) => sender.dueInMs() ?? pollMs);
    // Not 0: what is due may be waiting for room.
    return Math.max(Math.min(pollMs, ...due), Math.min(spacingMs, pollMs));
  }

  /** A wait that news do not cut short: they are to share one transaction. */
  async #pause(ms: number): Promise<void> {
    const endMs = performance.now() + ms;
    for (let left = ms; left > 0 && !this.#stopping; left = endMs - performance.now()) {
      await new Promise((resolve) => setTimeout(resolve, left));
    }
  }

  #mark(): number {
    return this.#options.store.ledger.mark();
  }

  #resolveWaiting(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** A window that only waits is none. */
function isNews(found: DeliveryBatch | null): boolean {
  return found !== null && !(found.waitMs !== null && found.deliveries.length === 0);
}
