/** How a run ends when something is in the way: large files, lost journals, one folder under two names. */
import { existsSync } from 'node:fs';
import { rename, symlink, truncate } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { startHttpServer } from '../support/http-server.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

/** What the server takes of a body before it rests, and for how long: longer in all than what nobody waits for. */
const SIP_BYTES = 1024 ** 2;
const REST_MS = 50;
const SIPS = 100;

test('a large file under way is no reason to give up, however short --give-up is', async () => {
  const place = await newWorkplace();
  const api = await startHttpServer(async ({ attempt, request, json }) => {
    let taken = 0;
    for await (const chunk of request) {
      taken += (chunk as Buffer).length;
      if (attempt === 1 || taken < SIP_BYTES) continue;
      taken = 0;
      await delay(REST_MS);
    }
    if (attempt === 1) json(503, {});
    else json(200, { code: 0, data: { oss_info: [{ oss_name: 'x', oss_url: 'https://x.example/x' }] } });
  });
  const destination = { preset: 'autoglm', url: `${api.origin}/up`, token: { value: 'a-token' } };
  await place.config(inboxConfig(destination, { retry: { baseDelay: '20ms', maxDelay: '50ms' } }));
  await place.file('inbox/large.bin', '');
  // Sparse: takes no room on the disk.
  await truncate(place.path('inbox/large.bin'), SIPS * SIP_BYTES);
  const result = await place.run(['run', '--once', '--give-up', '3s', '--yes']);
  expect(result).toMatchObject({ code: 0 });
  const bytes = SIPS * SIP_BYTES;
  const [receipt] = await place.receipts();
  expect(receipt).toMatchObject({ path: 'large.bin', status: 'uploaded', bytes });
  expect(receipt?.durationMs).toBeGreaterThan(3_000);
});

test('a folder of the config file that is named on the command line is the same source: nothing is sent twice', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  await place.file('inbox/a.txt', 'a');
  expect((await place.run(['run', '--once'])).code).toBe(0);
  await symlink(place.path('inbox'), place.path('link'));
  for (const path of ['inbox', './inbox/', 'link']) {
    expect((await place.run(['run', path, '--to', 'demo', '--once'])).code).toBe(0);
  }
  expect((await place.run(['run', 'inbox', 'inbox', '--once'])).code).toBe(0);
  expect(sandbox.summary().count).toBe(1);
  expect(await place.receipts()).toHaveLength(1);
});

test('the same folder to another destination is a source of its own, with a manifest of its own', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const config = inboxConfig(sandboxDestination(sandbox)) as { destinations: Record<string, object> };
  config.destinations.other = sandboxDestination(sandbox);
  await place.config(config);
  await place.file('inbox/a.txt', 'a');
  expect((await place.run(['run', '--once'])).code).toBe(0);
  expect((await place.run(['run', 'inbox', '--to', 'other', '--once'])).code).toBe(0);
  expect(await place.receipts()).toMatchObject([{ source: 'inbox', destination: 'demo' }]);
  const own = await place.receipts(place.path('inbox.inbox-2.manifest.jsonl'));
  expect(own).toMatchObject([{ source: 'inbox-2', destination: 'other' }]);
  expect(sandbox.summary().count).toBe(2);
});

test('a journal taken away under a running process ends it, with a message and never with 0', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  await place.file('inbox/a.txt', 'a');
  const run = place.start(['run']);
  await place.recorded(1);
  await rename(place.path('inbox.manifest.jsonl'), place.path('gone.jsonl'));
  await place.file('inbox/b.txt', 'b');
  const ended = await run.ended;
  expect(ended.code).not.toBe(0);
  expect(ended.stderr).toContain('inbox.manifest.jsonl');
  // Put back, it goes on where it was: the result waits in Redis.
  await rename(place.path('gone.jsonl'), place.path('inbox.manifest.jsonl'));
  expect((await place.run(['run', '--once'])).code).toBe(0);
  expect((await place.receipts()).map(({ path }) => path).sort()).toEqual(['a.txt', 'b.txt']);
  expect(sandbox.summary().count).toBe(2);
});

test('a Redis whose queue belongs to another data folder is refused, not emptied', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action: '500' }] });
  const config = inboxConfig(sandboxDestination(sandbox)) as Record<string, unknown>;
  await place.config(config);
  await place.file('inbox/a.txt', 'a');
  const first = place.start(['run']);
  const socket = place.path('data/redis/redis.sock');
  await vi.waitFor(() => expect(existsSync(socket)).toBe(true), { timeout: 20_000 });
  await vi.waitFor(
    async () => expect((await place.read(['status', '--json'])).stdout).toContain('"pending":1'),
    {
      timeout: 20_000,
      interval: 300,
    },
  );
  await place.file('other/inbox/x.txt', 'x');
  await place.file(
    'other/slipway.yaml',
    JSON.stringify({ ...config, redis: { url: socket }, dataDir: './data2' }),
  );
  first.signal('SIGKILL');
  await first.ended;
  const second = await place.run(['run', '--once', '--config', 'other/slipway.yaml']);
  expect(second.code).toBe(2);
  expect(second.stderr).toContain('belongs to another ledger, in the data folder');
  expect(second.stderr).toContain(place.path('data'));
  sandbox.clearFaults();
  expect((await place.run(['run', '--once'])).code).toBe(0);
  expect((await place.receipts()).map(({ path }) => path)).toEqual(['a.txt']);
});
