import { newEndpoint } from '../domain/delivery.ts';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { IntentOf } from '../ledger/intent.ts';
import { replayJournal } from '../ledger/journal/journal-replay.ts';
import type { SourceStore } from '../ledger/store/source-store.ts';
import { type BatchEnds, openBatchEnds } from '../ledger/tables/batch-ends.ts';
import { type Outbox, openOutbox } from '../ledger/tables/outbox-store.ts';
import { createWaker } from '../platform/waiting/waker.ts';
import { within } from '../platform/waiting/within.ts';
import type { RedisAccess } from '../redis/redis-access.ts';
import type { Endpoint } from './endpoint/endpoint.ts';
import { type EndpointSender, openEndpointSender } from './endpoint/endpoint-sender.ts';
import type {
  EndpointReport,
  EndpointSenderOptions,
  NotifyTiming,
} from './endpoint/endpoint-sender-options.ts';
import { RETRY_SCHEDULE_MS } from './endpoint/retry-schedule.ts';
import type { DeliveryBatch } from './outbox/delivery-batch.ts';
import type { Telling } from './outbox/webhook-replay.ts';
import { openSender, type Sender, type SenderOptions } from './send/open-sender.ts';

export interface NotifierOptions {
  readonly source: string;
  /** Of this source. */
  readonly endpoints: readonly Endpoint[];
  readonly store: SourceStore;
  readonly intentOf: IntentOf | undefined;
  readonly redis: RedisAccess;
  readonly prefix: string;
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
  resyncMs: 5_000,
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
  const { source, endpoints, store, redis, log, now, timing = NOTIFY_TIMING } = options;
  const { ledger, journal } = store;
  const { failpoint = NOTHING } = options;
  await replayJournal({ journal, ledger, log, intentOf: options.intentOf });
  const { outbox, ends } = outboxOf(store);
  const signal = createWaker();
  const lines: EndpointSender[] = [];
  const waiting = new Set<() => void>();
  const senders: Sender[] = [];
  let stopping = false;
  let failures = 0;

  /** Once for each endpoint: from where on it is told. */
  function meetEndpoints(): void {
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

  async function run(): Promise<void> {
    while (!stopping) {
      try {
        const changed = await step();
        failures = 0;
        await signal.sleep(changed ? 0 : sleepMs());
      } catch (error) {
        failures += 1;
        if (failures === 1)
          log.error({ source, reason: reasonOf(error) }, 'webhooks wait: what they are told cannot be kept');
        await pause(AFTER_ERROR_MS);
      }
    }
  }

  /** Looks for news, writes down what has ended and what is new, and only then has it sent. */
  async function step(): Promise<boolean> {
    const beganMs = performance.now();
    const cuts = new Map<EndpointSender, DeliveryBatch | null>();
    for (const line of lines) cuts.set(line, await line.look(ledger.mark(), waiting.size > 0));
    const writeBeganMs = performance.now();
    const changed = write(cuts);
    const wroteMs = performance.now() - writeBeganMs;
    if (changed) await failpoint('made-out');
    for (const line of lines) line.feed();
    if (lines.every((line) => line.isCaughtUp(ledger.mark()))) resolveWaiting();
    // A transaction holds up the event loop for as long as the disk takes: on a slow one it is shared by more.
    const spacingMs = Math.min(timing.spacingMs + wroteMs * DISK_REST, MOST_SPACING_MS);
    if (changed) await pause(spacingMs - (performance.now() - beganMs));
    return changed;
  }

  function write(cuts: ReadonlyMap<EndpointSender, DeliveryBatch | null>): boolean {
    const busy = lines.filter((line) => line.hasChanges() || isNews(cuts.get(line) ?? null));
    if (busy.length === 0) return false;
    const durable = ledger.transact(() => busy.map((line) => line.write(cuts.get(line) ?? null)));
    for (const settle of durable) settle();
    return true;
  }

  function sleepMs(): number {
    const due = lines.map((line) => line.dueInMs() ?? timing.pollMs);
    // Not 0: what is due may be waiting for room.
    return Math.max(Math.min(timing.pollMs, ...due), Math.min(timing.spacingMs, timing.pollMs));
  }

  /** A wait that news do not cut short: they are to share one transaction. */
  async function pause(ms: number): Promise<void> {
    const endMs = performance.now() + ms;
    for (let left = ms; left > 0 && !stopping; left = endMs - performance.now()) {
      await new Promise((resolve) => setTimeout(resolve, left));
    }
  }

  function resolveWaiting(): void {
    for (const resolve of waiting) resolve();
    waiting.clear();
  }

  async function resync(): Promise<void> {
    for (const line of lines) {
      await line
        .resync()
        .catch((error: unknown) =>
          log.debug({ source, reason: reasonOf(error) }, 'deliveries not compared with Redis yet'),
        );
    }
    signal.wake();
  }

  async function openLines(): Promise<void> {
    for (const endpoint of endpoints) {
      const sender = openSender(endpoint, options.senders);
      senders.push(sender);
      const line = await openEndpointSender({
        ...{ endpoint, source, outbox, ends, journal: journal.path, timing, failpoint, log, now },
        ...{ connection: redis.connection, prefix: options.prefix, random: Math.random },
        ...{ send: sender.send, wake: signal.wake },
      });
      lines.push(line);
    }
  }

  async function closeLines(): Promise<void> {
    await Promise.all(lines.map((line) => line.close(CLOSE_GRACE_MS)));
    await Promise.all(senders.map((sender) => sender.close()));
  }

  meetEndpoints();
  try {
    await openLines();
  } catch (error) {
    // Their connections would keep the process alive.
    await closeLines();
    throw error;
  }
  const running = lines.length === 0 ? Promise.resolve() : run();
  const timer = lines.length === 0 ? null : setInterval(() => void resync(), timing.resyncMs);
  const forget = redis.onBack(() => void resync());

  return {
    wake: signal.wake,
    endpoints,
    report: () => lines.map((line) => line.report(ledger.mark())),

    caughtUp() {
      if (lines.length === 0 || stopping) return Promise.resolve();
      return new Promise((resolve) => {
        waiting.add(resolve);
        signal.wake();
      });
    },

    alter(work) {
      write(new Map());
      const result = ledger.transact(() => work(outbox, ends));
      for (const line of lines) line.reload();
      signal.wake();
      return result;
    },

    async close() {
      stopping = true;
      if (timer !== null) clearInterval(timer);
      forget();
      for (const line of lines) line.pause();
      signal.wake();
      await running;
      await within(Promise.all(lines.map((line) => line.idle())), CLOSE_GRACE_MS);
      await closeLines();
      write(new Map());
      resolveWaiting();
    },
  };
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
  return { endpoints, alter: (work) => store.ledger.transact(() => work(outbox, ends)) };
}

/** A window that only waits is none. */
function isNews(cut: DeliveryBatch | null): boolean {
  return cut !== null && !(cut.waitMs !== null && cut.deliveries.length === 0);
}
