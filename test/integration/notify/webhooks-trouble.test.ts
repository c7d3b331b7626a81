import { renameSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import type { Delivery } from '../../../src/domain/delivery.ts';
import { outboxOf } from '../../../src/notify/outbox/telling.ts';
import { endpointTo, type NotifyRig, notifyRig, paths, QUICK, until } from '../../support/notify-rig.ts';
import { startReceiver } from '../../support/webhook-receiver.ts';

function deliveriesOf(rig: NotifyRig, name = 'pipeline'): Delivery[] {
  return [...outboxOf(rig.store).outbox.deliveries(name)];
}

test('at 30 % random failures every event arrives, under one id however often it is sent', async () => {
  const rig = await notifyRig();
  const sent = new Map<string, Set<string>>();
  let seed = 7;
  const receiver = await startReceiver((_, { id, text }) => {
    sent.set(id, (sent.get(id) ?? new Set()).add(text));
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647 < 0.3 ? 503 : null;
  });
  await rig.start([endpointTo(receiver.origin)]);
  const receipts = await rig.record(paths(400));
  await until(() => expect(receiver.told().size).toBe(400));
  expect(sent.size).toBe(400);
  expect([...sent.values()].every((bodies) => bodies.size === 1)).toBe(true);
  expect([...receiver.told().keys()].sort()).toEqual(receipts.map(({ id, gen }) => `${id}-${gen}`).sort());
  await until(() => expect(deliveriesOf(rig)).toEqual([]));
});

test('what is not acknowledged within the schedule is dead: kept, visible, sent again when asked', async () => {
  const rig = await notifyRig();
  const works = false;
  const receiver = await startReceiver(() => (works ? null : 500));
  const timing = { ...QUICK, scheduleMs: [0, 5, 5] };
  const notifier = await rig.start([endpointTo(receiver.origin)], { timing });
  await rig.record(['a.pdf']);
  await until(() => expect(notifier.report()[0]).toMatchObject({ dead: 1, pending: 0, health: 'failing' }));
  await until(() =>
    expect(deliveriesOf(rig)).toMatchObject([{ state: 'dead', attempts: 3, last: { status: 500 } }]),
  );
  expect(receiver.visits()).toBe(3);
  expect(rig.log.lines.some(({ level, message }) => level === 'error' && message.includes('given up'))).toBe(
    true,
  );
});

test('410 disables the endpoint with a loud word, and its events are kept', async () => {
  const rig = await notifyRig();
  const receiver = await startReceiver(() => 410);
  const notifier = await rig.start([endpointTo(receiver.origin)]);
  await rig.record(['a.pdf']);
  await until(() => expect(notifier.report()[0]?.health).toBe('disabled'));
  await rig.record(paths(20));
  await notifier.caughtUp();
  expect(receiver.visits()).toBe(1);
  expect(notifier.report()[0]?.behindBytes).toBeGreaterThan(0);
  expect(rig.log.lines.some(({ message }) => message.startsWith('WEBHOOK ENDPOINT DISABLED'))).toBe(true);
});

test('that an endpoint is disabled is said once, and again at every start', async () => {
  const rig = await notifyRig();
  const receiver = await startReceiver(() => 410);
  const said = (): number =>
    rig.log.lines.filter(({ message }) => message.startsWith('WEBHOOK ENDPOINT DISABLED: pipeline')).length;
  const notifier = await rig.start([endpointTo(receiver.origin)]);
  await rig.record(paths(10));
  await until(() => expect(notifier.report()[0]?.health).toBe('disabled'));
  await rig.reopen();
  expect(said()).toBe(1);
  await rig.start([endpointTo(receiver.origin)]);
  expect(said()).toBe(2);
});

test('five days of nothing but failures disable the endpoint', async () => {
  const rig = await notifyRig();
  const receiver = await startReceiver(() => 500);
  let nowMs = Date.now();
  const timing = { ...QUICK, scheduleMs: [0, 5, 5, 5, 5, 5] };
  const notifier = await rig.start([endpointTo(receiver.origin)], { timing, now: () => nowMs });
  await rig.record(['a.pdf']);
  await until(() => expect(notifier.report()[0]?.health).toBe('failing'));
  nowMs += 5 * 24 * 3_600_000;
  await rig.record(['b.pdf']);
  await until(() => expect(notifier.report()[0]?.health).toBe('disabled'));
});

test('a redirect is a failure and is not followed', async () => {
  const rig = await notifyRig();
  const elsewhere = await startReceiver();
  const receiver = await startReceiver((visit) => {
    visit.response.writeHead(307, { location: elsewhere.origin }).end();
    return 307;
  });
  const notifier = await rig.start([endpointTo(receiver.origin)], { timing: { ...QUICK, scheduleMs: [0] } });
  await rig.record(['a.pdf']);
  await until(() => expect(notifier.report()[0]?.dead).toBe(1));
  const [delivery] = await vi.waitFor(() => {
    const found = deliveriesOf(rig);
    expect(found[0]?.state).toBe('dead');
    return found;
  });
  expect(delivery?.last?.summary).toBe('HTTP 307: redirects are not followed');
  expect(elsewhere.visits()).toBe(0);
});

test('Retry-After is waited for, and a 429 for a minute at least', async () => {
  const rig = await notifyRig();
  const receiver = await startReceiver(({ attempt, response }) => {
    const status = attempt === 1 ? 429 : 503;
    response.writeHead(status, attempt === 1 ? {} : { 'retry-after': '7200' }).end();
    return status;
  });
  const nowMs = Date.now();
  await rig.start([endpointTo(receiver.origin, { concurrency: 1 })], { now: () => nowMs });
  await rig.record(['a.pdf', 'b.pdf']);
  await until(() => expect(deliveriesOf(rig).map(({ attempts }) => attempts)).toEqual([1, 1]));
  expect(deliveriesOf(rig).map(({ dueAtMs }) => dueAtMs - nowMs)).toEqual([60_000, 7_200_000]);
});

test('an endpoint that asks for time is asked nothing by other deliveries either, and everything goes once it is over', async () => {
  const rig = await notifyRig();
  let isBusy = true;
  const receiver = await startReceiver(({ response }) => {
    if (!isBusy) return 204;
    response.writeHead(503, { 'retry-after': '600' }).end();
    return 503;
  });
  const clock = { nowMs: Date.now() };
  const good = await startReceiver();
  const endpoints = [
    endpointTo(receiver.origin, { concurrency: 1 }),
    endpointTo(good.origin, { name: 'good' }),
  ];
  const notifier = await rig.start(endpoints, { now: () => clock.nowMs });
  await rig.record(['a.pdf']);
  await until(() => expect(deliveriesOf(rig)).toMatchObject([{ attempts: 1 }]));
  await rig.record(paths(20, 'meanwhile'));
  await until(() => expect(good.told().size).toBe(21));
  expect(notifier.report()[0]).toMatchObject({ health: 'failing' });
  expect(receiver.visits()).toBe(1);
  isBusy = false;
  clock.nowMs += 600_001;
  await until(() => expect(receiver.told().size).toBe(21));
  expect(receiver.visits()).toBe(22);
});

test.each([
  ['answers a gigabyte', 'gigabyte'],
  ['hangs', 'hang'],
] as const)(
  'an endpoint that %s costs a slot for at most the time-out, and the others nothing',
  async (_, kind) => {
    const rig = await notifyRig();
    const chunk = Buffer.alloc(64 * 1024, 'x');
    let written = 0;
    const bad = await startReceiver(({ response }) => {
      if (kind === 'gigabyte') {
        response.writeHead(200, { 'content-length': 2 ** 30 });
        const pour = (): void => {
          while (!response.destroyed && written < 2 ** 30) {
            written += chunk.length;
            if (!response.write(chunk)) return void response.once('drain', pour);
          }
        };
        pour();
      }
      return new Promise(() => undefined);
    });
    const good = await startReceiver();
    await rig.start([
      endpointTo(bad.origin, { name: 'bad', concurrency: 2, timeoutMs: 300 }),
      endpointTo(good.origin, { name: 'good' }),
    ]);
    await rig.record(paths(30));
    await until(() => expect(good.told().size).toBe(30));
    // The slots of the bad one come free again and again.
    await until(() => expect(bad.visits()).toBeGreaterThan(4));
    if (kind === 'gigabyte') {
      expect(written).toBeLessThan(2 ** 29);
      await until(() => expect(deliveriesOf(rig, 'bad')).toEqual([]));
    } else {
      await until(() => expect(deliveriesOf(rig, 'bad').some(({ attempts }) => attempts > 0)).toBe(true));
    }
  },
);

test.each([
  ['stops in the middle', 'half'],
  ['breaks off', 'close'],
  ['trickles for ever', 'trickle'],
  ['breaks off within a chunk', 'chunk'],
] as const)(
  'a status counts although the body that follows it %s: nothing is told again',
  async (_, kind) => {
    const rig = await notifyRig();
    const receiver = await startReceiver(({ response }) => {
      if (kind === 'half' || kind === 'close')
        response.writeHead(200, { 'content-length': 100 }).write('half');
      if (kind === 'close') setImmediate(() => response.destroy());
      if (kind === 'trickle') {
        response.writeHead(200);
        const timer = setInterval(() => response.write('.'), 20);
        response.on('close', () => clearInterval(timer));
      }
      if (kind === 'chunk') {
        response.socket?.write('HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n40\r\nhalf');
        setImmediate(() => response.socket?.destroy());
      }
      return 200;
    });
    const notifier = await rig.start([endpointTo(receiver.origin, { concurrency: 4 })]);
    await rig.record(paths(12));
    await notifier.caughtUp();
    expect(deliveriesOf(rig)).toEqual([]);
    expect(receiver.visits()).toBe(12);
    expect(notifier.report()[0]).toMatchObject({ health: 'ok', dead: 0, last: { summary: 'acknowledged' } });
  },
);

test.each([
  [410, 'disabled'],
  [503, 'failing'],
] as const)('a %d with a body that never ends counts as one: %s', async (status, health) => {
  const rig = await notifyRig();
  const receiver = await startReceiver(({ response }) => {
    response.writeHead(status, { 'retry-after': '600' }).write('half');
    return status;
  });
  const notifier = await rig.start([endpointTo(receiver.origin)]);
  await rig.record(['a.pdf']);
  await until(() => expect(notifier.report()[0]).toMatchObject({ health, last: { status } }));
});

test('with all the room taken by deliveries that wait for hours, everything was told that could be', async () => {
  const rig = await notifyRig();
  // Every other event fails: no row of failures, so no rest for the endpoint, and the room fills up.
  let turn = 0;
  const receiver = await startReceiver(() => {
    turn += 1;
    return turn % 2 === 0 ? 204 : 500;
  });
  const timing = { ...QUICK, scheduleMs: [0, 3_600_000], mostOpen: 20 };
  const notifier = await rig.start([endpointTo(receiver.origin, { concurrency: 1 })], { timing });
  await rig.record(paths(100));
  await notifier.caughtUp();
  const [report] = notifier.report();
  expect(report).toMatchObject({ pending: 20, dead: 0 });
  expect(report?.behindBytes).toBeGreaterThan(0);
  // What it was told once, and what it still has to be told, is everything; the next start goes on with it.
  expect(turn).toBeLessThan(100);
  await rig.start([endpointTo(receiver.origin, { concurrency: 1 })], {
    timing: { ...timing, mostOpen: 200 },
  });
  await rig.notifier().caughtUp();
  expect(rig.notifier().report()).toMatchObject([{ behindBytes: 0 }]);
  expect(turn).toBe(100);
});

test('an endpoint that is down is left alone after ten failures, uses up no attempts, and comes back', async () => {
  const rig = await notifyRig();
  let works = false;
  const receiver = await startReceiver(() => (works ? null : 500));
  let nowMs = Date.now();
  const notifier = await rig.start([endpointTo(receiver.origin, { concurrency: 2 })], { now: () => nowMs });
  await rig.record(paths(300));
  await notifier.caughtUp();
  const visits = receiver.visits();
  expect(visits).toBeLessThan(30);
  await rig.record(paths(50, 'more'));
  await notifier.caughtUp();
  expect(receiver.visits()).toBe(visits);
  works = true;
  nowMs += 60_000;
  await until(() => expect(receiver.told().size).toBe(350));
  expect(notifier.report()[0]).toMatchObject({ dead: 0, health: 'ok' });
});

test.each([
  ['is dead', QUICK.scheduleMs],
  ['is tried again in a day', [...QUICK.scheduleMs.slice(1), 10, 86_400_000]],
])('an endpoint at rest is probed by what is new when all that was tried %s', async (_, scheduleMs) => {
  const rig = await notifyRig();
  let works = false;
  const receiver = await startReceiver(() => (works ? null : 500));
  let aheadMs = 0;
  const timing = { ...QUICK, scheduleMs };
  const notifier = await rig.start([endpointTo(receiver.origin)], {
    timing,
    now: () => Date.now() + aheadMs,
  });
  await rig.record(['tried.pdf']);
  await until(() => expect(deliveriesOf(rig)[0]).toMatchObject({ attempts: 10 }));
  works = true;
  aheadMs = 60_000;
  await rig.record(paths(5, 'new'));
  await until(() => expect(receiver.told().size).toBe(5));
  expect(notifier.report()[0]).toMatchObject({ health: 'ok' });
});

test('of what is never tried at most 1,000 are made out at a time; the journal holds the rest', async () => {
  const rig = await notifyRig();
  let isHanging = true;
  const receiver = await startReceiver(async () => {
    await until(() => expect(isHanging).toBe(false), 60_000);
    return null;
  });
  const notifier = await rig.start([endpointTo(receiver.origin, { timeoutMs: 60_000 })]);
  await rig.record(paths(1_300));
  await until(() => expect(receiver.visits()).toBe(10));
  await until(() => expect(deliveriesOf(rig)).toHaveLength(1_010));
  await rig.record(['one-more.pdf']);
  await vi.waitFor(() => expect(notifier.report()[0]).toMatchObject({ pending: 1_010 }));
  expect(notifier.report()[0]?.behindBytes).toBeGreaterThan(0);
  isHanging = false;
  await until(() => expect(receiver.told().size).toBe(1_301));
  expect(receiver.arrived).toHaveLength(1_301);
});

test('a delivery whose event cannot be read just now waits, and costs no attempt', async () => {
  const rig = await notifyRig();
  let works = false;
  const receiver = await startReceiver(() => (works ? null : 503));
  let nowMs = Date.now();
  await rig.start([endpointTo(receiver.origin)], {
    now: () => nowMs,
    timing: { ...QUICK, scheduleMs: [0, 60_000] },
  });
  await rig.record(['a.pdf']);
  await until(() => expect(deliveriesOf(rig)).toMatchObject([{ attempts: 1 }]));
  const journal = rig.store.journal.path;
  renameSync(journal, `${journal}.away`);
  works = true;
  nowMs += 100_000;
  await until(() =>
    expect(rig.log.lines.some(({ message }) => message.includes('cannot be read'))).toBe(true),
  );
  expect(receiver.visits()).toBe(1);
  renameSync(`${journal}.away`, journal);
  nowMs += 10_000;
  await until(() => expect(receiver.told().size).toBe(1));
});

test('a failing endpoint is a warning with its next attempt, and not one for each of a thousand failures', async () => {
  const rig = await notifyRig();
  let turn = 0;
  // Never ten in a row: it gets no rest.
  const receiver = await startReceiver(() => (turn++ % 9 === 8 ? null : 503));
  let nowMs = Date.now();
  const warnings = () => rig.log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
  const timing = { ...QUICK, scheduleMs: [0, 300_000] };
  await rig.start([endpointTo(receiver.origin, { concurrency: 1 })], { now: () => nowMs, timing });
  await rig.record(paths(40));
  await until(() => expect(receiver.visits()).toBe(40));
  expect(warnings()).toEqual([
    expect.stringMatching(/^webhook pipeline fails \(HTTP 503\); next attempt in [45]m.*Z\)$/),
  ]);
  nowMs += 61_000;
  await rig.record(['later.pdf']);
  await until(() => expect(receiver.visits()).toBe(41));
  await until(() => expect(warnings()).toHaveLength(2));
});
