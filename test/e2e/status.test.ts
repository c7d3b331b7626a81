/** `slipway status`: what is going on and what has gone on, without ever changing it. */
import { readdir } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import type { Status } from '../../src/operations/inspect/status.ts';
import { errorLine } from '../support/cli.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination, type Workplace } from '../support/workplace.ts';

async function statusOf(place: Workplace): Promise<Status> {
  const { code, stdout, stderr } = await place.read(['status', '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Status;
}

test('tells of a running process, and afterwards of what it left, without starting Redis', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 150 } });
  const concurrency = { initial: 2, max: 2, adaptive: false };
  await place.config(inboxConfig(sandboxDestination(sandbox, { concurrency })));
  for (let index = 0; index < 40; index += 1) await place.file(`inbox/${index}.txt`, `file ${index}`);
  const cli = place.start(['run']);
  await place.recorded(4);

  await vi.waitFor(
    async () => {
      const { running, sources, destinations } = await statusOf(place);
      expect(running).toBe(true);
      const [inbox] = sources;
      expect(inbox).toMatchObject({
        name: 'inbox',
        running: true,
        path: place.path('inbox'),
        failed: 0,
        discovered: 40,
      });
      expect(inbox?.uploaded).toBeGreaterThan(0);
      expect(inbox?.discovered).toBe((inbox?.uploaded ?? 0) + (inbox?.pending ?? 0));
      expect(destinations).toMatchObject([{ name: 'demo', health: 'running', limit: 2 }]);
    },
    { timeout: 20_000, interval: 100 },
  );
  const text = await place.read(['status']);
  expect(text.stdout).toMatch(/^running\n.*source inbox {2}.*40 discovered = \d+ uploaded \+ 0 failed/s);
  cli.signal('SIGTERM');
  await cli.ended;
  const left = (await place.receipts()).length;

  const after = await statusOf(place);
  expect(after).toMatchObject({ running: false, destinations: [] });
  expect(after.sources).toMatchObject([{ name: 'inbox', running: false, uploaded: left, live: null }]);
  expect((await place.read(['status'])).stdout).toMatch(/^not running\n/);
  expect(place.redisServers()).toEqual([]);
});

test('in a place where nothing has ever run it says so and makes nothing', async () => {
  const place = await newWorkplace();
  const { code, stdout } = await place.read(['status']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/not running.*slipway run PATH --to DESTINATION/s);
  expect(await readdir(place.folder)).toEqual(['home', 'inbox']);
  expect(await readdir(place.path('home'))).toEqual([]);
});

test('names the reason while a destination is stopped', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: 'code', code: 410000 }] });
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  await place.file('inbox/a.txt', 'a');
  const cli = place.start(['run']);
  await cli.said('destination demo is stopped, its files are kept');
  await vi.waitFor(
    async () => {
      const { destinations, sources } = await statusOf(place);
      expect(destinations).toMatchObject([
        { name: 'demo', health: 'stopped', failure: expect.stringContaining('no right to upload') },
      ]);
      expect(sources).toMatchObject([{ discovered: 1, pending: 1, failed: 0 }]);
    },
    { timeout: 20_000, interval: 100 },
  );
  cli.signal('SIGTERM');
  expect((await cli.ended).code).toBe(0);
});

test('a second run on the same source is refused while the first one works, and changes nothing', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  await place.file('inbox/a.txt', 'a');
  const first = place.start(['run']);
  await place.recorded(1);

  const second = await place.run(['run', '--once']);
  expect(second.code).toBe(2);
  expect(errorLine(second)).toContain(`source inbox is already being worked by process ${first.pid}`);

  await place.file('inbox/b.txt', 'b');
  await place.recorded(2);
  first.signal('SIGTERM');
  expect((await first.ended).code).toBe(0);
  expect(sandbox.summary()).toMatchObject({ count: 2, repeated: 0 });
});

test('a Redis that is down hides what runs, not what was recorded', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const config = inboxConfig(sandboxDestination(sandbox));
  await place.config(config);
  await place.file('inbox/a.txt', 'a');
  expect((await place.run(['run', '--once'])).code).toBe(0);
  expect(await statusOf(place)).toMatchObject({ redis: 'not running', redisTrouble: null });

  await place.config({ ...config, redis: { url: `unix://${place.path('none.sock')}` } });

  expect(await statusOf(place)).toMatchObject({
    running: false,
    redis: 'unreachable',
    redisTrouble: expect.stringContaining('does not answer'),
    sources: [{ name: 'inbox', uploaded: 1 }],
  });
  const { code, stdout } = await place.read(['status']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^not running\nRedis at .* does not answer .*\n\nsource inbox .*1 uploaded/s);
});

test('a folder that was named on the command line is shown with its path and its manifest', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config({ dataDir: './data', destinations: { demo: sandboxDestination(sandbox) } });
  await place.file('papers/a.txt', 'a');
  expect((await place.run(['run', 'papers', '--to', 'demo', '--once', '--yes'])).code).toBe(0);
  expect((await statusOf(place)).sources).toMatchObject([
    {
      name: 'papers',
      running: false,
      path: place.path('papers'),
      manifest: place.path('papers.manifest.json'),
      destination: null,
      uploaded: 1,
    },
  ]);
});
