import { expect, onTestFinished, test, vi } from 'vitest';
import type { UploadFailure } from '../../../src/domain/attempt.ts';
import { silentLog } from '../../../src/domain/log.ts';
import {
  clearSuspension,
  type DestinationRecord,
  openDestinationRecord,
} from '../../../src/redis/coordination/destination-record.ts';
import { destinationKey } from '../../../src/redis/queue-key.ts';
import { createRatePace } from '../../../src/traffic/rate-pace.ts';
import { type SharedDestination, sharedDestination } from '../../../src/traffic/shared-destination.ts';
import { createSuspension, type Suspension } from '../../../src/traffic/suspension.ts';
import { startTestRedis, type TestRedis } from '../../support/redis-server.ts';

const FAILURE: UploadFailure = {
  kind: 'unavailable',
  code: 'connection',
  message: 'the connection failed',
  httpStatus: null,
  retryAfterMs: null,
};

async function redisForTest(): Promise<TestRedis> {
  const redis = await startTestRedis();
  onTestFinished(() => redis.close());
  return redis;
}

function recordOf(redis: TestRedis, member: string): DestinationRecord {
  return openDestinationRecord({
    connection: redis.connect(),
    prefix: 'slipway',
    destination: 'api',
    member,
  });
}

interface Member {
  readonly shared: SharedDestination;
  readonly standstill: Suspension;
  readonly kinds: string[];
}

/** A process that shares the destination, as far as this room knows processes. */
async function member(redis: TestRedis, name: string, now = Date.now): Promise<Member> {
  const connection = redis.connect();
  await connection.ping();
  const shared = sharedDestination({
    record: openDestinationRecord({ connection, prefix: 'slipway', destination: 'api', member: name }),
    rate: { perSecond: 50 },
    isThere: () => connection.status === 'ready',
    log: silentLog,
    now,
  });
  const kinds: string[] = [];
  const standstill = createSuspension({
    destination: 'api',
    shared,
    stoppedTiming: { firstMs: 300, lastMs: 300 },
    onChange: ({ kind }) => kinds.push(kind),
    log: silentLog,
    now: Date.now,
    random: () => 0,
  });
  onTestFinished(async () => {
    standstill.close();
    await shared.close();
  });
  await shared.joined();
  return { shared, standstill, kinds };
}

test('a standstill that one process finds holds all, and one of them at a time probes', async () => {
  const redis = await redisForTest();
  const members = await Promise.all(['a', 'b', 'c'].map((name) => member(redis, name)));
  const probing = () => members.filter(({ standstill }) => standstill.health().kind === 'probing');
  members[0]?.standstill.suspend('down', FAILURE);
  for (const { shared } of members) shared.look();
  await vi.waitFor(() => expect(members.every(({ kinds }) => kinds.includes('down'))).toBe(true), 5_000);
  await vi.waitFor(() => expect(probing()).toHaveLength(1), 5_000);
  // What is to be seen is that nobody else begins: long enough for every other timer to have fired.
  await vi.waitFor(
    () => expect(members.flatMap(({ kinds }) => kinds).length).toBeGreaterThanOrEqual(6),
    5_000,
  );
  expect(probing()).toHaveLength(1);

  probing()[0]?.standstill.attempted();
  probing()[0]?.standstill.resume();
  for (const { shared } of members) shared.look();
  await vi.waitFor(
    () => expect(members.every(({ standstill }) => standstill.health().kind === 'running')).toBe(true),
    5_000,
  );
});

test('a stop that was there before is inherited until somebody has tried in vain', async () => {
  const redis = await redisForTest();
  const early = await member(redis, 'early');
  early.standstill.suspend('stopped', FAILURE);
  await vi.waitFor(() => expect(early.standstill.health().kind).toBe('probing'), 5_000);
  expect(early.kinds).toContain('stopped');
  const late = await member(redis, 'late');
  expect(late.standstill.health()).toMatchObject({ kind: 'stopped', inherited: true });
  early.standstill.attempted();
  early.standstill.suspend('stopped', FAILURE);
  expect(early.standstill.health()).toMatchObject({ kind: 'stopped', inherited: false });
  await vi.waitFor(() => {
    late.shared.look();
    expect(late.standstill.health()).toMatchObject({ kind: 'stopped', inherited: false });
  }, 5_000);
});

test('a prober that dies is replaced once its lease has run out, and never before', async () => {
  const redis = await redisForTest();
  const [one, other] = [recordOf(redis, 'one'), recordOf(redis, 'other')];
  await one.sync({ joining: true, probing: false });
  await other.sync({ joining: true, probing: false });
  await one.standStill(JSON.stringify({ kind: 'down' }), { kind: 'down', probeInMs: 0, afterProbe: false });
  expect(await one.leaseProbe()).toBe('granted');
  expect(await other.leaseProbe()).toBeGreaterThan(5_000);
  await one.passProbeOn();
  expect(await other.leaseProbe()).toBe('granted');
  // A failed probe makes everybody wait longer.
  await other.standStill(JSON.stringify({ kind: 'down' }), {
    kind: 'down',
    probeInMs: 9_000,
    afterProbe: true,
  });
  const waitMs = await one.leaseProbe();
  expect(waitMs).toBeGreaterThan(5_000);
  expect(waitMs).toBeLessThanOrEqual(9_000);
});

test('being stopped outweighs being down, and what two find at once is one standstill', async () => {
  const redis = await redisForTest();
  const [one, other] = [recordOf(redis, 'one'), recordOf(redis, 'other')];
  const found = async () => (await one.sync({ joining: false, probing: false })).suspension;
  const say = (record: DestinationRecord, kind: string, who: string) =>
    record.standStill(JSON.stringify({ kind, who }), { kind, probeInMs: 5_000, afterProbe: false });
  await say(one, 'down', 'one');
  await say(other, 'down', 'other');
  expect(await found()).toContain('"one"');
  await say(other, 'stopped', 'other');
  expect(await found()).toContain('"stopped"');
  await say(one, 'down', 'one');
  expect(await found()).toContain('"stopped"');
  await clearSuspension(redis.connect(), 'slipway', 'api');
  expect(await found()).toBeNull();
  expect(await one.leaseProbe()).toBe('none');
});

test('who comes to an empty house begins anew; who comes to others takes over what they know, and it is tried at once', async () => {
  const redis = await redisForTest();
  const first = recordOf(redis, 'first');
  await first.sync({ joining: true, probing: false });
  const text = JSON.stringify({ kind: 'stopped' });
  await first.standStill(text, { kind: 'stopped', probeInMs: 60_000, afterProbe: false });
  await first.shutGate(60_000);

  const second = recordOf(redis, 'second');
  const seen = await second.sync({ joining: true, probing: false });
  expect(seen).toMatchObject({ members: 2, suspension: text });
  expect(seen.probeInMs).toBeLessThanOrEqual(0);

  await first.leave();
  await second.leave();
  const third = await recordOf(redis, 'third').sync({ joining: true, probing: false });
  expect(third).toMatchObject({ members: 1, suspension: null });
  // What the far side asked for holds for whoever comes.
  expect(third.gateInMs).toBeGreaterThan(50_000);
});

test('a success of one process is one that the others know of, whatever their clocks say', async () => {
  const redis = await redisForTest();
  const HOUR = 3_600_000;
  const one = await member(redis, 'one', () => Date.now() - HOUR);
  const other = await member(redis, 'other');
  expect(other.shared.times().heardSuccessAtMs).toBeNull();
  const beforeMs = Date.now();
  one.shared.succeeded();
  await vi.waitFor(() => expect(other.shared.times().heardSuccessAtMs).not.toBeNull(), 5_000);
  const heardMs = other.shared.times().heardSuccessAtMs ?? 0;
  // Within what two clocks may differ and still be taken for one.
  expect(heardMs).toBeGreaterThanOrEqual(beforeMs - 500);
  expect(heardMs).toBeLessThanOrEqual(Date.now());
  expect(Math.abs(one.shared.times().nowMs - Date.now())).toBeLessThan(1_000);
});

test('what was learned of the quota is there for all, and for whoever comes within the hour', async () => {
  const redis = await redisForTest();
  const [one, other] = [recordOf(redis, 'one'), recordOf(redis, 'other')];
  const look = (record: DestinationRecord) => record.sync({ joining: false, probing: false });
  expect((await look(one)).learned).toBeNull();
  await one.learn('{"perSecond":3}');
  expect((await look(other)).learned).toBe('{"perSecond":3}');
  await one.leave();
  await other.leave();
  const late = recordOf(redis, 'late');
  expect((await late.sync({ joining: true, probing: false })).learned).toBe('{"perSecond":3}');
  const key = destinationKey('slipway', 'api');
  await redis.connect().hset(key, 'learnedAt', Date.now() - 3_700_000);
  expect((await look(late)).learned).toBeNull();
  await late.learn(null);
  expect(await redis.connect().hexists(key, 'learned')).toBe(0);
});

test('of two successes the later one stays, and one from before the clock was set back gives way', async () => {
  const redis = await redisForTest();
  const [one, other] = [recordOf(redis, 'one'), recordOf(redis, 'other')];
  const tell = (record: DestinationRecord, succeededAgoMs: number | null) =>
    record.sync({ joining: false, probing: false, succeededAgoMs });
  expect((await tell(one, null)).successAgoMs).toBeNull();
  await tell(one, 1_000);
  expect((await tell(other, 60_000)).successAgoMs).toBeLessThan(30_000);
  await redis.connect().hset(destinationKey('slipway', 'api'), 'okAt', Date.now() + 3_600_000);
  await tell(other, 20_000);
  expect((await tell(one, null)).successAgoMs).toBeGreaterThanOrEqual(20_000);
});

test('a gate is never shortened by a shorter wish', async () => {
  const redis = await redisForTest();
  const record = recordOf(redis, 'one');
  await record.shutGate(30_000);
  await record.shutGate(3_000);
  expect((await record.sync({ joining: false, probing: false })).gateInMs).toBeGreaterThan(25_000);
});

test('a gate that was lifted by hand says so, one that Redis has lost does not', async () => {
  const redis = await redisForTest();
  const record = recordOf(redis, 'one');
  const seen = () => record.sync({ joining: false, probing: false });
  await record.shutGate(30_000);
  await clearSuspension(redis.connect(), 'slipway', 'api');
  const lifted = await seen();
  expect(lifted.gateInMs).toBeLessThanOrEqual(0);
  expect(lifted.liftedAgoMs).toBeLessThan(20_000);
  await record.shutGate(30_000);
  await redis.connect().flushall();
  expect(await seen()).toMatchObject({ liftedAgoMs: null });
});

test('two processes share one quota: together they take as long as one would alone', async () => {
  const redis = await redisForTest();
  const moments: number[] = [];
  const stop = new AbortController();
  const senders = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const { shared } = await member(redis, name);
      const sent: number[] = [];
      const pace = createRatePace({
        ...{ perSecond: () => 50, fastest: 50, reserve: (count) => shared.reserve(count) },
        onReady: send,
        now: () => performance.now(),
      });
      onTestFinished(() => pace.close());
      function send(): void {
        while (!stop.signal.aborted && pace.take(10)) {
          sent.push(performance.now());
          moments.push(performance.now());
        }
      }
      send();
      return sent;
    }),
  );
  await vi.waitFor(() => expect(moments.length).toBeGreaterThanOrEqual(150), 15_000);
  stop.abort();
  // 149 slots of 20 ms, but for a first one that came late; with the whole quota each they would need half of it. Within
  // a second a busy process catches up on what it was late with: exact counts are of the simulated clock.
  const [first = 0] = moments;
  expect((moments.at(-1) ?? 0) - first).toBeGreaterThan(149 * 20 * 0.8);
  for (const sent of senders) expect(sent.length).toBeGreaterThan(150 * 0.3);
});

test('without Redis each process keeps to its share of the quota, and none stops', async () => {
  const redis = await redisForTest();
  const [one] = await Promise.all(['a', 'b'].map((name) => member(redis, name)));
  if (one === undefined) throw new Error('no member');
  one.shared.look();
  await vi.waitFor(() => expect(one.shared.members()).toBe(2), 5_000);
  await redis.kill();
  const lease = await one.shared.reserve(1);
  expect(lease.count).toBe(1);
  // 50 a second by two, at 95 %: one every 42 ms.
  expect(lease.intervalMs).toBeCloseTo(2 * (1_000 / 47.5), 1);
  expect(await one.shared.leaseProbe()).toBe('granted');
});

test('a success or a lift from before the clock of Redis was set back is none, at every look', async () => {
  const redis = await redisForTest();
  const record = recordOf(redis, 'one');
  const connection = redis.connect();
  const [seconds] = await connection.time();
  const later = String((Number(seconds) + 3_600) * 1_000);
  await connection.hset(destinationKey('slipway', 'api'), 'okAt', later, 'liftedAt', later);
  const looked = await record.sync({ joining: true, probing: false });
  expect(looked).toMatchObject({ successAgoMs: null, liftedAgoMs: null });
  const told = await record.sync({ joining: false, probing: false, succeededAgoMs: 40 });
  expect(told.successAgoMs).toBe(40);
});
