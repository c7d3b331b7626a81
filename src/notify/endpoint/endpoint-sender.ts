import type { Delivery, EndpointReport } from '../../domain/delivery.ts';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { BatchEnds } from '../../ledger/tables/batch-ends.ts';
import type { Outbox } from '../../ledger/tables/outbox-store.ts';
import { untilIdle } from '../../platform/waiting/until-idle.ts';
import { type DeliveryBatch, nextDeliveryBatch } from '../outbox/delivery-batch.ts';
import { createBodyCache, deliveryBody } from '../outbox/delivery-body.ts';
import type { Send } from '../send/send-attempt.ts';
import { type Endpoint, shownTarget } from './endpoint.ts';
import { sayNews, sayStillDisabled } from './endpoint-news.ts';
import {
  afterAttemptEnd,
  afterReload,
  afterWrite,
  atOnce,
  type EndpointProgress,
  hurried,
  isStillTrue,
  lookBegun,
  lookEnded,
  progressAt,
  progressFrom,
  stopped,
} from './endpoint-progress.ts';
import { OpenDeliveries } from './open-deliveries.ts';
import { afterAttempt, attempt, type CountedEnd, failedFor } from './settle-delivery.ts';

/** Not acknowledged at once; the rest of the journal waits for them. Bounds memory: some 300 bytes each. */
const MOST_OPEN = 10_000;
/** Of them never tried. */
const MOST_FRESH = 1_000;
/** Bodies kept for sending at once, characters. */
const BODY_CHARS = 8 * 1024 * 1024;
/** Until what it tells of is read from the journal again. */
const AFTER_READ_ERROR_MS = 5_000;

/** What has just been done when the fault harness may strike. */
export type NotifyStep = 'made-out' | 'answered';

export interface EndpointSenderOptions {
  readonly endpoint: Endpoint;
  readonly source: string;
  readonly outbox: Outbox;
  readonly ends: BatchEnds;
  /** Path of the journal. */
  readonly journal: string;
  readonly send: Send;
  /** Delays before each attempt, milliseconds. */
  readonly scheduleMs: readonly number[];
  /** Deliveries that may be open at once; 10,000 unless said otherwise. */
  readonly mostOpen?: number | undefined;
  /** Something has ended: to be written down soon. */
  readonly wake: () => void;
  readonly failpoint: (step: NotifyStep) => void | Promise<void>;
  readonly log: Log;
  readonly now: () => number;
  readonly random: () => number;
}

/**
 * Tells one endpoint of one source: looks for what is new in the outbox, has it written down, then sends what is due, so
 * many at once as the endpoint is fit for. What has ended is kept until the next transaction.
 */
export class EndpointSender {
  readonly #options: EndpointSenderOptions;
  readonly #open: OpenDeliveries;
  readonly #bodies = createBodyCache(BODY_CHARS);
  readonly #attempts = new Set<AbortController>();
  #progress: EndpointProgress;

  /** Of an endpoint whose state is in the outbox. */
  constructor(options: EndpointSenderOptions) {
    this.#options = options;
    this.#open = new OpenDeliveries(options.mostOpen ?? MOST_OPEN);
    this.#progress = progressFrom(this.#stored());
    this.#load();
    sayStillDisabled(options, this.#progress.state);
  }

  /**
   * What is new for it; reads only.
   * @param mark journal bytes that are committed
   * @param close windows do not wait
   */
  async look(mark: number, close: boolean): Promise<DeliveryBatch | null> {
    this.#progress = lookBegun(this.#progress);
    const room = this.#room();
    if (room <= 0) return null;
    const { endpoint, outbox, ends, journal, now } = this.#options;
    const { state, replayFirst, closeUpTo } = this.#progress;
    const batch = await nextDeliveryBatch({
      ...{ endpoint, state, outbox, ends, journal, mark, room, replayFirst },
      ...{ close: close || state.cursor < closeUpTo, now: now() },
    });
    this.#progress = lookEnded(this.#progress, batch, now());
    return batch;
  }

  #room(): number {
    const { state, health } = this.#progress;
    const { kind } = health.circuit;
    if (state.disabled !== null || kind === 'open') return 0;
    const room = this.#open.room(MOST_FRESH);
    if (kind === 'closed') return room;
    // One of what is new is the probe when nothing open is to be tried soon.
    return this.#open.hasSoon(this.#options.now()) ? 0 : Math.min(1, room);
  }

  /**
   * Inside a transaction: writes down what has ended, and what a look has found.
   * @returns what to do once it is durable
   */
  write(found: DeliveryBatch | null): () => void {
    const { outbox, endpoint, now } = this.#options;
    const before = this.#progress;
    const batch = found !== null && isStillTrue(found, before) ? found : null;
    this.#open.write(outbox, endpoint.name);
    const made = (batch?.deliveries ?? []).map(({ body, ...out }, index) => {
      const untried = { attempts: 0, dueAtMs: now(), state: 'open', last: null } as const;
      const delivery: Delivery = { ...out, ...untried, seq: before.state.nextSeq + index };
      outbox.put(endpoint.name, delivery);
      return { delivery, body };
    });
    for (const window of batch?.windows ?? []) outbox.putWindow(endpoint.name, window);
    const after = afterWrite(before, batch);
    if (after !== before) outbox.putState(endpoint.name, after.state);
    return () => {
      this.#progress = after;
      this.#open.written();
      for (const { delivery, body } of made) {
        this.#open.add(delivery);
        this.#bodies.keep(delivery.seq, body);
      }
    };
  }

  hasChanges(): boolean {
    return this.#open.hasUnwritten() || this.#progress.unwritten;
  }

  /** Begins what is due, and lets a sick endpoint be probed when its time has come. */
  feed(): void {
    const { concurrency } = this.#options.endpoint;
    const nowMs = this.#options.now();
    this.#progress = progressAt(this.#progress, nowMs);
    if (this.#open.wantsMore()) this.#load();
    while (this.#attempts.size < atOnce(this.#progress, concurrency)) {
      const delivery = this.#open.take(nowMs);
      if (delivery === null) return;
      void this.#deliver(delivery);
    }
  }

  /** One attempt, and what comes after it. Never throws. */
  async #deliver(delivery: Delivery): Promise<void> {
    const controller = new AbortController();
    this.#attempts.add(controller);
    try {
      const end = await this.#attempt(delivery, controller.signal);
      if (end === null) this.#open.giveBack(delivery);
      else this.#ended(delivery, end);
    } catch (error) {
      // Not the endpoint's fault: it costs no attempt.
      this.#open.giveBack({ ...delivery, dueAtMs: this.#options.now() + AFTER_READ_ERROR_MS });
      this.#say('a webhook delivery cannot be read from the journal, and waits', error);
    } finally {
      this.#attempts.delete(controller);
      this.feed();
    }
  }

  /** @returns null: it was cut short, and counts for nothing */
  async #attempt(delivery: Delivery, signal: AbortSignal): Promise<CountedEnd | null> {
    const { send, failpoint } = this.#options;
    const body = this.#bodies.take(delivery.seq) ?? (await deliveryBody(delivery.content, this.#options));
    if (body === null) return failedFor('what it tells of is not in the journal any more');
    const end = await attempt(send, { id: delivery.id, body }, signal);
    if (end.kind === 'aborted') return null;
    await failpoint('answered');
    return end;
  }

  #ended(delivery: Delivery, end: CountedEnd): void {
    const { now, random, scheduleMs, wake } = this.#options;
    const nowMs = now();
    const after = afterAttempt(delivery, end, { nowMs, random, scheduleMs });
    this.#open.end(delivery.seq, after);
    const { progress, news } = afterAttemptEnd(this.#progress, { end, after, nowMs, random });
    this.#progress = progress;
    for (const one of news) sayNews(this.#options, one, nowMs);
    wake();
  }

  #say(message: string, error: unknown): void {
    const { log, source, endpoint } = this.#options;
    log.warn({ source, endpoint: endpoint.name, reason: reasonOf(error) }, message);
  }

  /** Milliseconds until it wants to be fed again; null: nothing waits, or for what is in hand. */
  dueInMs(): number | null {
    const { state, health, windowUntilMs } = this.#progress;
    const { circuit } = health;
    if (state.disabled !== null) return null;
    const nowMs = this.#options.now();
    if (circuit.kind === 'open') return Math.max(0, circuit.untilMs - nowMs);
    const isBusy = this.#attempts.size >= atOnce(this.#progress, this.#options.endpoint.concurrency);
    const times = [isBusy ? null : this.#open.dueAtMs(), windowUntilMs].filter((at) => at !== null);
    return times.length === 0 ? null : Math.max(0, Math.min(...times) - nowMs);
  }

  /** Everything is told once, or it cannot be told now. */
  isCaughtUp(mark: number): boolean {
    const { state, health } = this.#progress;
    if (this.#open.hasUnwritten()) return false;
    if (state.disabled !== null || health.circuit.kind !== 'closed') return true;
    if (this.#open.hasSoon(this.#options.now())) return false;
    // No room, and none within seconds: what is open waits for retries that are hours away.
    if (this.#open.isFull()) return true;
    return state.cursor >= mark && state.batchSeq >= this.#options.ends.last() && state.replay === null;
  }

  /** What is stored was changed by somebody else of this process; nothing of ours was unwritten. */
  reload(): void {
    this.#progress = afterReload(this.#progress, this.#stored());
    this.#load();
  }

  /** A person wants it told now. @param mark journal bytes: windows that begin before do not wait */
  hurry(mark: number): void {
    this.#progress = hurried(this.#progress, mark);
  }

  /** @param mark journal bytes that are committed */
  report(mark: number): EndpointReport {
    const { endpoint } = this.#options;
    const { state, health } = this.#progress;
    const open = [...this.#open.values()];
    const oldestMs = open.reduce((oldest, { eventAtMs }) => Math.min(oldest, eventAtMs), Infinity);
    return {
      name: endpoint.name,
      target: shownTarget(endpoint),
      health: state.disabled !== null ? 'disabled' : health.failingSinceMs !== null ? 'failing' : 'ok',
      pending: open.reduce((sum, { events }) => sum + events, 0),
      behindBytes: Math.max(0, mark - state.cursor),
      oldestUnacknowledged: Number.isFinite(oldestMs) ? new Date(oldestMs).toISOString() : null,
      dead: state.dead,
      disabled: state.disabled?.reason ?? null,
      last: state.last,
    };
  }

  /** Begins nothing new. */
  pause(): void {
    this.#progress = stopped(this.#progress);
  }

  /** Waits for what is under way, then cuts it short: it counts for nothing, and is sent again by the next start. */
  async close(graceMs: number): Promise<void> {
    this.pause();
    const isIdle = await untilIdle(() => this.#attempts.size, graceMs, NEVER);
    if (isIdle) return;
    for (const attempt of this.#attempts) attempt.abort(new Error('Slipway is stopping'));
    await untilIdle(() => this.#attempts.size, graceMs, NEVER);
  }

  #stored(): EndpointProgress['state'] {
    const { outbox, endpoint } = this.#options;
    const found = outbox.state(endpoint.name);
    if (found === null)
      throw new SlipwayError('internal', { reason: `no state of endpoint ${endpoint.name}` });
    return found;
  }

  #load(): void {
    const { outbox, endpoint } = this.#options;
    this.#open.load(outbox.deliveries(endpoint.name));
  }
}

const NEVER = new AbortController().signal;
