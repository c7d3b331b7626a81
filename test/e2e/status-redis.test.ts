/** What `status` says while Redis answers and is of no use, and of jobs that Redis has lost. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { startTestRedis, type TestRedis } from '../support/redis-server.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination, type Workplace } from '../support/workplace.ts';

interface StatusLine {
  readonly running: boolean;
  readonly redis: string;
  readonly redisTrouble: string | null;
  readonly sources: readonly { readonly lostJobs: number }[];
}

async function statusOf(place: Workplace): Promise<StatusLine> {
  return JSON.parse((await place.read(['status', '--json'])).stdout) as StatusLine;
}

async function withRedis(
  sandboxOptions: Parameters<typeof sandboxForTest>[0] = {},
): Promise<{ readonly place: Workplace; readonly redis: TestRedis }> {
  const place = await newWorkplace();
  const redis = await startTestRedis();
  onTestFinished(() => redis.close());
  const config = inboxConfig(sandboxDestination(await sandboxForTest(sandboxOptions)));
  await place.config({ ...config, redis: { url: `unix://${redis.socketPath}` } });
  return { place, redis };
}

test('a Redis that refuses writes is said to; what runs on this host runs, for the health check too', async () => {
  const { place, redis } = await withRedis();
  expect(await place.run(['status', '--check'])).toMatchObject({ code: 5, stdout: 'not running\n' });
  await place.file('inbox/a.txt', 'a');
  const cli = place.start(['run']);
  await place.recorded(1);
  expect(await place.run(['status', '--check'])).toMatchObject({ code: 0, stdout: 'running\n' });
  const admin = redis.connect();
  // As on a full disk: it wants a replica that it has not got.
  await admin.config('SET', 'min-replicas-to-write', '1');
  await vi.waitFor(async () => expect((await statusOf(place)).redis).toBe('refuses writes'), {
    timeout: 30_000,
    interval: 500,
  });
  expect(await statusOf(place)).toMatchObject({
    running: true,
    redisTrouble: expect.stringMatching(/does not take what is written \(NOREPLICAS .*give it room/),
  });
  expect((await place.read(['status'])).stdout).toMatch(/^running\nRedis at unix:.*NOREPLICAS/);
  expect(await place.run(['status', '--check'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^running; Redis at .*NOREPLICAS/),
  });
  await admin.config('SET', 'min-replicas-to-write', '0');
  await vi.waitFor(async () => expect((await statusOf(place)).redis).toBe('ok'));
  cli.signal('SIGTERM');
  expect((await cli.ended).code).toBe(0);
  expect((await place.read(['status', '--check'])).code).toBe(5);
});

test('lost jobs are counted until somebody has seen them, with a process that runs and without', async () => {
  const { place, redis } = await withRedis({ capacity: { serviceMs: 10 } });
  // More than travel at once in carriers: what is in hand is not lost with the lists.
  for (let n = 0; n < 1_400; n += 1) await place.file(`inbox/${n}.txt`, `content ${n}`);
  for (const alive of [true, false]) {
    const cli = place.start(['run']);
    await place.recorded(alive ? 5 : 1_405);
    await redis.connect().flushall();
    await cli.said('Redis has lost jobs');
    await place.recorded(alive ? 1_400 : 2_800);
    if (!alive) {
      cli.signal('SIGTERM');
      expect((await cli.ended).code).toBe(0);
    }
    // A process publishes its report once a second.
    const lost = await vi.waitFor(async () => {
      const count = (await statusOf(place)).sources[0]?.lostJobs ?? 0;
      expect(count).toBeGreaterThan(0);
      return count;
    });
    expect((await place.read(['status', '--check', '--clear-lost'])).code).toBe(2);
    expect((await place.read(['status', '--source', 'inbox'])).code).toBe(2);
    const cleared = await place.run(['status', '--clear-lost', '--source', 'inbox']);
    expect(cleared).toMatchObject({
      code: 0,
      stdout: `source inbox: ${lost} lost jobs are counted no more\n`,
    });
    await vi.waitFor(async () => expect((await statusOf(place)).sources[0]?.lostJobs).toBe(0));
    expect((await place.read(['status', '--clear-lost'])).stdout).toBe('no jobs were lost\n');
    if (alive) {
      cli.signal('SIGTERM');
      expect((await cli.ended).code).toBe(0);
      for (let n = 1_400; n < 2_800; n += 1) await place.file(`inbox/${n}.txt`, `content ${n}`);
    }
  }
});
