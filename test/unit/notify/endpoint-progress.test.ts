import { describe, expect, test } from 'vitest';
import { type Delivery, newEndpoint } from '../../../src/domain/delivery.ts';
import {
  afterAttemptEnd,
  afterReload,
  afterWrite,
  atOnce,
  type EndpointNews,
  type EndpointProgress,
  hurried,
  isStillTrue,
  progressAt,
  progressFrom,
  stopped,
} from '../../../src/notify/endpoint/endpoint-progress.ts';
import { type CountedEnd, failedFor } from '../../../src/notify/endpoint/settle-delivery.ts';
import type { DeliveryBatch } from '../../../src/notify/outbox/delivery-batch.ts';

const random = (): number => 0.5;
const acknowledged: CountedEnd = { kind: 'acknowledged', status: 204, durationMs: 3, excerpt: '' };
const gone: CountedEnd = { ...acknowledged, kind: 'gone', status: 410 };
const retried = {
  ...{ seq: 1, id: 'msg_1', content: { kind: 'batch', batch: 'b' }, events: 1, eventAtMs: 0 },
  ...{ attempts: 1, dueAtMs: 5_000, state: 'open', last: null },
} as const satisfies Delivery;
const dead: Delivery = { ...retried, attempts: 10, state: 'dead' };

function ended(
  before: EndpointProgress,
  end: CountedEnd,
  nowMs: number,
  delivery: Delivery | null = retried,
) {
  const facts = { end, after: end.kind === 'acknowledged' ? null : delivery, nowMs, random };
  return afterAttemptEnd(before, facts);
}

function failures(times: number, nowMs = 0): { progress: EndpointProgress; news: EndpointNews[] } {
  let progress = progressFrom(newEndpoint(0, 0));
  const news: EndpointNews[] = [];
  for (let time = 0; time < times; time += 1) {
    const step = ended(progress, failedFor('HTTP 500'), nowMs);
    progress = step.progress;
    news.push(...step.news);
  }
  return { progress, news };
}

describe('how many deliveries may be under way', () => {
  test('as many as configured; none at rest, disabled or stopping; one while it is probed', () => {
    expect(atOnce(progressFrom(newEndpoint(0, 0)), 7)).toBe(7);
    const { progress: resting } = failures(10);
    expect(atOnce(resting, 7)).toBe(0);
    const probing = progressAt(resting, 5_000);
    expect(atOnce(probing, 7)).toBe(1);
    expect(atOnce(ended(probing, acknowledged, 5_000).progress, 7)).toBe(7);
    expect(atOnce(stopped(progressFrom(newEndpoint(0, 0))), 7)).toBe(0);
    expect(atOnce(ended(progressFrom(newEndpoint(0, 0)), gone, 0).progress, 7)).toBe(0);
  });

  test('a person who wants it told now ends its rest; one delivery then tries it', () => {
    const { progress } = failures(10);
    const now = hurried(progress, 4_711);
    expect(atOnce(now, 7)).toBe(1);
    expect(now.closeUpTo).toBe(4_711);
  });
});

describe('what is said', () => {
  test('of a row of failures the first, and that it gets a rest, with the next attempt', () => {
    const { news } = failures(10);
    expect(news.filter((one) => one.kind === 'rests' || (one.kind === 'failed' && one.loud))).toEqual([
      { kind: 'failed', reason: 'HTTP 500', nextAtMs: 5_000, loud: true },
      { kind: 'rests', reason: 'HTTP 500', nextAtMs: 5_000 },
    ]);
  });

  test('a minute later again, and that it is back', () => {
    const resting = progressAt(failures(10).progress, 61_000);
    const failed = ended(resting, failedFor('HTTP 500'), 61_000);
    expect(failed.news).toMatchObject([{ kind: 'failed', loud: true, nextAtMs: 71_000 }]);
    const back = ended(progressAt(failed.progress, 80_000), acknowledged, 80_000);
    expect(back.news).toEqual([{ kind: 'back' }]);
    expect(back.progress.state).toMatchObject({ failingSinceMs: null, last: { status: 204 } });
  });

  test('nothing of what works', () => {
    expect(ended(progressFrom(newEndpoint(0, 0)), acknowledged, 0).news).toEqual([]);
  });

  test('a dead delivery is counted and said; a 410 disables once', () => {
    const given = ended(progressFrom(newEndpoint(0, 0)), failedFor('HTTP 500'), 0, dead);
    expect(given.news).toEqual([{ kind: 'given-up', delivery: dead }]);
    expect(given.progress).toMatchObject({ unwritten: true, state: { dead: 1 } });
    const first = ended(given.progress, gone, 0);
    expect(first.news).toMatchObject([{ kind: 'disabled', reason: expect.stringContaining('410') }]);
    expect(ended(first.progress, gone, 1).news).toEqual([]);
  });
});

describe('what is stored', () => {
  const state = newEndpoint(10, 2);
  const batch: DeliveryBatch = {
    ...{ from: state, deliveries: [], windows: [], cursor: 90, batchSeq: 3, replay: null, waitMs: null },
  };

  test('what a look has found is written unless the place it looked from has moved', () => {
    expect(isStillTrue(batch, progressFrom(state))).toBe(true);
    expect(isStillTrue(batch, progressFrom({ ...state, dead: 4, nextSeq: 9 }))).toBe(true);
    for (const moved of [{ cursor: 11 }, { batchSeq: 3 }, { replay: { at: 0, to: 5 } }])
      expect(isStillTrue(batch, progressFrom({ ...state, ...moved }))).toBe(false);
  });

  test('after a write nothing is unwritten, and the place is that of the look', () => {
    const { progress } = ended(progressFrom(state), acknowledged, 0);
    expect(afterWrite(progress, null)).toMatchObject({ unwritten: false, state: { cursor: 10 } });
    expect(afterWrite(progress, batch)).toMatchObject({
      ...{ unwritten: false, state: { cursor: 90, batchSeq: 3, last: { status: 204 } } },
    });
  });

  test('one that a command has enabled begins in good health, others keep theirs', () => {
    const off = ended(failures(10).progress, gone, 0).progress;
    expect(atOnce(afterReload(off, state), 3)).toBe(3);
    expect(atOnce(afterReload(failures(10).progress, state), 3)).toBe(0);
  });
});
