import type { Delivery, EndpointState } from '../../domain/delivery.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { type DeliveryQueue, openDeliveryQueue } from '../../queue/delivery-queue.ts';
import { type DeliveryBatch, nextDeliveryBatch } from '../outbox/delivery-batch.ts';
import { createBodyCache, deliveryBody } from '../outbox/delivery-body.ts';
import { createDeliveryFeed } from './delivery-feed.ts';
import { healthAfter, healthAt, healthFrom, isGivenUp } from './endpoint-health.ts';
import { endpointReport } from './endpoint-report.ts';
import type { EndpointReport, EndpointSenderOptions } from './endpoint-sender-options.ts';
import { afterAttempt, answerOf, attempt, type CountedEnd, failedFor } from './settle-delivery.ts';

/** Not acknowledged at once; the rest of the journal waits for them. Bounds memory: some 300 bytes each. */
const MOST_OPEN = 10_000;
/** Of them never tried: what Redis may hold. */
const MOST_FRESH = 1_000;
/** Bodies kept for sending at once, characters. */
const BODY_CHARS = 8 * 1024 * 1024;

/** One endpoint of one source: what it is told, and how it is doing. */
export interface EndpointSender {
  readonly name: string;
  /** What is new for it; reads only. `close`: windows do not wait. */
  look(mark: number, close: boolean): Promise<DeliveryBatch | null>;
  /** Inside a transaction: writes down what has ended, and what was made out. @returns what to do once it is durable */
  write(cut: DeliveryBatch | null): () => void;
  hasChanges(): boolean;
  /** Hands what is due to the queue, and lets a sick endpoint be probed when its time has come. */
  feed(): void;
  /** Milliseconds until it wants to be fed again; null: nothing waits. */
  dueInMs(): number | null;
  /** Everything is told once, or it cannot be told now. */
  isCaughtUp(mark: number): boolean;
  /** What is stored was changed by somebody else of this process. */
  reload(): void;
  resync(): Promise<void>;
  report(mark: number): EndpointReport;
  /** Nothing new is begun. */
  pause(): void;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
  close(budgetMs: number): Promise<void>;
}

/** Opens the line of an endpoint whose state is in the outbox. */
export async function openEndpointSender(options: EndpointSenderOptions): Promise<EndpointSender> {
  const { endpoint, source, outbox, ends, log, now, random, wake, failpoint, send } = options;
  const { name, concurrency } = endpoint;
  const { mostOpen = MOST_OPEN } = options.timing;
  const bodies = createBodyCache(BODY_CHARS);
  const open = new Map<number, Delivery>();
  /** Ended, not written down yet; null: acknowledged. */
  let changes = new Map<number, Delivery | null>();
  let state = stored();
  let stateChanged = false;
  /** Changes whenever what is stored was changed beside us: a look from before counts for nothing. */
  let version = 0;
  let lookedAt = 0;
  let health = healthFrom(state.failingSinceMs);
  let replayFirst = false;
  let stopping = false;
  let windowWaitsUntilMs: number | null = null;
  /** The ledger has more than fit. */
  let moreOpen = false;
  loadOpen();
  const queue: DeliveryQueue = await openDeliveryQueue({
    ...options,
    ...{ endpoint: name, concurrency, handler: deliver },
  });
  const feed = createDeliveryFeed({ queue, open, now, log, endpoint: name });

  function stored(): EndpointState {
    const found = outbox.state(name);
    if (found === null) throw new SlipwayError('internal', { reason: `no state of endpoint ${name}` });
    return found;
  }

  function loadOpen(): void {
    open.clear();
    moreOpen = false;
    for (const delivery of outbox.deliveries(name)) {
      if (delivery.state !== 'open') continue;
      moreOpen = open.size >= mostOpen;
      if (moreOpen) return;
      open.set(delivery.seq, delivery);
    }
  }

  /** One attempt, from the queue. The ledger is the truth: a job that it does not ask for any more is done with. */
  async function deliver(jobId: string, signal: AbortSignal): Promise<number | null> {
    const delivery = feed.begin(jobId);
    if (delivery === null) return null;
    try {
      const { circuit } = health;
      if (stopping || state.disabled !== null) return 1_000;
      if (circuit.kind === 'open') return Math.max(100, circuit.untilMs - now());
      const body = bodies.take(delivery.seq) ?? (await deliveryBody(delivery.content, options));
      if (body === null) {
        settle(delivery, failedFor('what it tells of is not in the journal any more'));
        return null;
      }
      const end = await attempt(send, { id: delivery.id, body }, signal);
      if (end.kind === 'aborted') return 1_000;
      await failpoint('answered');
      settle(delivery, end);
      return null;
    } finally {
      feed.end(jobId);
    }
  }

  function settle(delivery: Delivery, end: CountedEnd): void {
    const nowMs = now();
    const after = afterAttempt(delivery, end, { nowMs, random, scheduleMs: options.timing.scheduleMs });
    changes.set(delivery.seq, after);
    if (after === null || after.state === 'dead') open.delete(delivery.seq);
    else open.set(delivery.seq, after);
    const wasClosed = health.circuit.kind === 'closed';
    health = healthAfter(health, end, nowMs, random);
    const dead = state.dead + (after?.state === 'dead' ? 1 : 0);
    change({ dead, failingSinceMs: health.failingSinceMs, last: answerOf(end, nowMs) });
    if (after?.state === 'dead')
      log.error(
        { source, endpoint: name, id: delivery.id, reason: after.last?.summary },
        'a webhook delivery is given up; slipway webhooks replay --failed sends it again',
      );
    if (end.kind === 'gone') disable('it answered 410: it wants no more events');
    else if (end.kind === 'failed' && isGivenUp(health, nowMs))
      disable(`nothing but failures since ${new Date(health.failingSinceMs ?? nowMs).toISOString()}`);
    else applyCircuit(wasClosed);
    wake();
  }

  function change(part: Partial<EndpointState>): void {
    state = { ...state, ...part };
    stateChanged = true;
  }

  function disable(reason: string): void {
    if (state.disabled !== null) return;
    change({ disabled: { at: new Date(now()).toISOString(), reason } });
    queue.limit(0);
    sayDisabled(reason);
  }

  function sayDisabled(reason: string): void {
    log.error(
      { source, endpoint: name, reason },
      // With its name: a terminal shows no fields, and this one must be seen.
      `WEBHOOK ENDPOINT DISABLED: ${name} (${reason}); its events are kept: slipway webhooks replay --failed ${name} goes on with it`,
    );
  }

  function applyCircuit(wasClosed: boolean): void {
    const { kind } = health.circuit;
    if (state.disabled !== null || stopping) return;
    if (wasClosed && kind === 'open')
      log.warn(
        { source, endpoint: name, reason: state.last?.summary },
        `webhook ${name} fails; it gets a rest`,
      );
    if (!wasClosed && kind === 'closed') log.info({ source, endpoint: name }, 'webhook endpoint is back');
    queue.limit(kind === 'open' ? 0 : kind === 'probing' ? 1 : concurrency);
  }

  function room(): number {
    const { kind } = health.circuit;
    if (state.disabled !== null || kind === 'open' || moreOpen) return 0;
    // One of what is new is the probe when nothing open is to be tried soon.
    const most = kind === 'closed' ? MOST_FRESH - feed.fresh() : feed.hasSoon() ? 0 : 1;
    return Math.min(most, mostOpen - open.size);
  }

  applyCircuit(true);
  if (state.disabled !== null) {
    queue.limit(0);
    // At every start: what was said days ago is forgotten.
    sayDisabled(state.disabled.reason);
  }

  return {
    name,

    async look(mark, close) {
      lookedAt = version;
      const space = room();
      windowWaitsUntilMs = null;
      if (space <= 0) return null;
      replayFirst = !replayFirst;
      const cut = await nextDeliveryBatch({
        ...{ endpoint, state, outbox, ends, journal: options.journal, mark },
        ...{ room: space, close, now: now(), replayFirst },
      });
      windowWaitsUntilMs = cut === null || cut.waitMs === null ? null : now() + cut.waitMs;
      return cut;
    },

    write(looked) {
      const cut = lookedAt === version ? looked : null;
      const taken = changes;
      for (const [seq, after] of taken) {
        if (after === null) outbox.remove(name, seq);
        else outbox.put(name, after);
      }
      const made: { delivery: Delivery; body: string }[] = [];
      let next = state;
      if (cut !== null) {
        for (const { body, ...out } of cut.deliveries) {
          const fresh = { attempts: 0, dueAtMs: now(), state: 'open', last: null } as const;
          const delivery: Delivery = { ...out, ...fresh, seq: next.nextSeq };
          outbox.put(name, delivery);
          made.push({ delivery, body });
          next = { ...next, nextSeq: next.nextSeq + 1 };
        }
        for (const window of cut.windows) outbox.putWindow(name, window);
        next = { ...next, cursor: cut.cursor, batchSeq: cut.batchSeq, replay: cut.replay };
      }
      if (cut !== null || stateChanged) outbox.putState(name, next);
      return () => {
        state = next;
        stateChanged = false;
        // Nothing has ended in between: the transaction is one step of this thread.
        changes = new Map();
        for (const { delivery, body } of made) {
          open.set(delivery.seq, delivery);
          bodies.keep(delivery.seq, body);
        }
      };
    },

    hasChanges: () => changes.size > 0 || stateChanged,

    feed() {
      if (stopping || state.disabled !== null) return;
      const before = health;
      health = healthAt(health, now());
      if (health !== before) applyCircuit(false);
      if (moreOpen && open.size < mostOpen / 2 && changes.size === 0) loadOpen();
      feed.fill(health.circuit.kind === 'open');
    },

    dueInMs() {
      if (state.disabled !== null) return null;
      const { circuit } = health;
      if (circuit.kind === 'open') return Math.max(0, circuit.untilMs - now());
      const due = feed.dueInMs();
      const window = windowWaitsUntilMs === null ? null : Math.max(0, windowWaitsUntilMs - now());
      return due === null ? window : window === null ? due : Math.min(due, window);
    },

    isCaughtUp(mark) {
      if (changes.size > 0) return false;
      if (state.disabled !== null || health.circuit.kind !== 'closed') return true;
      if (feed.hasSoon()) return false;
      // No room, and none within seconds: what is open waits for retries that are hours away.
      if (moreOpen || open.size >= mostOpen) return true;
      return state.cursor >= mark && state.batchSeq >= ends.last() && state.replay === null;
    },

    reload() {
      version += 1;
      const wasDisabled = state.disabled !== null;
      state = stored();
      loadOpen();
      if (wasDisabled && state.disabled === null) {
        health = healthFrom(state.failingSinceMs);
        applyCircuit(true);
      }
    },

    resync: feed.resync,

    report: (mark) =>
      endpointReport(endpoint, state, open, { failing: health.failingSinceMs !== null, mark }),

    pause() {
      stopping = true;
      queue.limit(0);
    },

    idle: feed.idle,

    async close(budgetMs) {
      queue.abort();
      await queue.close(budgetMs);
    },
  };
}
