import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RedisConnection } from '../../../src/redis/redis-access.ts';
import { watchForMissingRole } from '../../../src/runtime/reports/missing-role.ts';
import { rememberingLog } from '../../support/record-rig.ts';

/** Reports as Redis keeps them, on the clock of the test. */
function reportsRig() {
  const publishedAtMs = new Map<string, number>();
  const rig = { status: 'ready' };
  const connection = {
    get status() {
      return rig.status;
    },
    /** Of `readProcessRecords`: the sha1, two keys, how fresh. */
    evalsha: async (_sha: string, _keys: number, _seen: string, _texts: string, freshMs: number) =>
      [...publishedAtMs.values()]
        .filter((at) => Date.now() - at <= freshMs)
        .map(() => JSON.stringify({ roles: ['worker'], serves: ['inbox'] })),
  } as unknown as RedisConnection;
  const log = rememberingLog();
  const facts = { connection, prefix: 'p', roles: ['intake'], sources: ['inbox'], log } as const;
  const watch = watchForMissingRole(facts);
  const timers: NodeJS.Timeout[] = [];
  return {
    log,
    redis: rig,
    /** A worker that publishes every second until it is killed. */
    worker(): { kill(): void } {
      const publish = () => publishedAtMs.set('worker', Date.now());
      publish();
      const timer = setInterval(publish, 1_000);
      timers.push(timer);
      return { kill: () => clearInterval(timer) };
    },
    expire: () => publishedAtMs.clear(),
    close() {
      watch.close();
      for (const timer of timers) clearInterval(timer);
    },
  };
}

let rig: ReturnType<typeof reportsRig>;
beforeEach(() => {
  vi.useFakeTimers();
  rig = reportsRig();
});
afterEach(() => {
  rig.close();
  vi.useRealTimers();
});

test('that nobody uploads is said within five seconds, and once', async () => {
  await vi.advanceTimersByTimeAsync(5_000);
  expect(rig.log.lines.map(({ message }) => message)).toEqual([
    'nobody does the worker of source inbox, its files wait: start `slipway worker` with the same Redis and prefix',
  ]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(rig.log.lines).toHaveLength(1);
});

test('the last report of a worker that was killed hides nothing', async () => {
  rig.worker().kill();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(rig.log.lines).toHaveLength(1);
});

test('a worker that ends later is missed, again after another one came and went', async () => {
  const first = rig.worker();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(rig.log.lines).toHaveLength(0);
  first.kill();
  await vi.advanceTimersByTimeAsync(8_000);
  expect(rig.log.lines).toHaveLength(1);
  const second = rig.worker();
  await vi.advanceTimersByTimeAsync(20_000);
  second.kill();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(rig.log.lines).toHaveLength(2);
});

test('reports that ran out while Redis was away say nothing', async () => {
  const worker = rig.worker();
  await vi.advanceTimersByTimeAsync(5_000);
  worker.kill();
  rig.redis.status = 'reconnecting';
  await vi.advanceTimersByTimeAsync(30_000);
  rig.expire();
  rig.redis.status = 'ready';
  // The worker is back a moment after this process.
  await vi.advanceTimersByTimeAsync(3_000);
  rig.worker();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(rig.log.lines).toHaveLength(0);
});
