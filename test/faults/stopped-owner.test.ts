/** An owner that is stopped for longer than its lease lasts, and comes back after another process has tried its luck. */
import { expect, test } from 'vitest';
import { withRedis } from '../support/embedded-redis-data.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

const LEASE_GONE_WITHIN_MS = 120_000;

test('an owner stopped beyond its lease is not replaced on its host: it goes on, and nothing is recorded twice', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  const owner = place.start(['run']);
  await place.file('inbox/before.txt', 'before');
  await place.recorded(1);

  owner.signal('SIGSTOP');
  await place.file('inbox/meanwhile.txt', 'meanwhile');
  const lease = (): Promise<string | null> =>
    withRedis(place.path('data', 'redis', 'redis.sock'), (redis) =>
      redis.get('slipway:{inbox}:slipway:owner'),
    );
  await expect.poll(lease, { timeout: LEASE_GONE_WITHIN_MS, interval: 200 }).toBeNull();
  const second = await place.run(['run', '--once']);
  expect(second.code).toBe(2);
  expect(second.stderr).toContain(`already being worked by process ${owner.pid}`);
  expect(await lease()).toBeNull();

  owner.signal('SIGCONT');
  const receipts = await place.recorded(2);
  expect(receipts.map(({ path, status }) => [path, status])).toEqual([
    ['before.txt', 'uploaded'],
    ['meanwhile.txt', 'uploaded'],
  ]);
  owner.signal('SIGTERM');
  expect((await owner.ended).code).toBe(0);
});
