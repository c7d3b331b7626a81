/** `slipway pause` and `slipway resume`, beside a running process and without one. */
import { expect, test, vi } from 'vitest';
import type { Status } from '../../src/operations/inspect/status.ts';
import { errorLine } from '../support/cli.ts';
import { startPacedApi } from '../support/paced-api.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination, type Workplace } from '../support/workplace.ts';

async function statusOf(place: Workplace): Promise<Status> {
  return JSON.parse((await place.read(['status', '--json'])).stdout) as Status;
}

test('pause holds a running process and the next one, status says so, and resume lets it go on', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  const first = place.start(['run']);
  await first.said('watching');
  const paused = await place.run(['pause', 'demo']);
  expect(paused).toMatchObject({ code: 0, stderr: '' });
  expect(paused.stdout).toMatch(/^destination demo is paused since .*: slipway resume demo\n$/);
  await vi.waitFor(
    async () => expect((await statusOf(place)).destinations[0]?.pausedSince).toEqual(expect.any(String)),
    { timeout: 10_000, interval: 100 },
  );
  await place.file('inbox/a.txt', 'a');
  await vi.waitFor(async () => expect((await statusOf(place)).sources[0]?.pending).toBe(1), {
    timeout: 10_000,
    interval: 100,
  });
  first.signal('SIGTERM');
  await first.ended;
  expect((await statusOf(place)).paused).toMatchObject([{ kind: 'destination', name: 'demo' }]);
  expect((await place.read(['status'])).stdout).toMatch(/^not running\ndestination demo is paused since/);

  const kept = await place.run(['run', '--once', '--give-up', '500ms']);
  expect(kept.code).toBe(5);
  expect(kept.stderr).toMatch(/destination demo is paused since .*: slipway resume demo/);
  expect(sandbox.summary().count).toBe(0);

  const resumed = await place.run(['resume', 'demo', '--json']);
  expect(resumed.code).toBe(0);
  expect(JSON.parse(resumed.stdout)).toMatchObject({ v: 1, paused: [] });
  expect((await place.run(['run', '--once'])).code).toBe(0);
  expect(await place.receipts()).toHaveLength(1);
});

test('resume sends at once what a 503 asked to wait for an hour', async () => {
  const place = await newWorkplace();
  const api = await startPacedApi();
  api.answer = () => ({ status: 503, retryAfter: '3600' });
  const url = `${api.server.origin}/files`;
  await place.config(
    inboxConfig({ url, visibility: 'private', answer: { id: '/id' }, ref: 'fileid://{id}' }),
  );
  await place.file('inbox/a.txt', 'a');
  const run = place.start(['run']);
  await vi.waitFor(async () => expect((await statusOf(place)).destinations[0]?.delayed).toBe(1), {
    timeout: 20_000,
    interval: 200,
  });
  api.answer = () => undefined;
  expect((await place.read(['resume', 'demo'])).code).toBe(0);
  await vi.waitFor(async () => expect(await place.receipts()).toHaveLength(1), {
    timeout: 20_000,
    interval: 100,
  });
  run.signal('SIGTERM');
  await run.ended;
}, 90_000);

test('what cannot be paused is named, with what can', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  for (const [args, message] of [
    [['pause', 'dmeo'], 'there is no destination dmeo: it is one of demo'],
    [['pause', '--source', 'x'], 'there is no source x: it is one of inbox'],
    [['resume', '--batch', 'x'], 'there is no batch x: no batch is known in this data folder'],
    [
      ['pause', 'demo', '--source', 'inbox'],
      'name one thing at a time: a destination, --source NAME or --batch ID',
    ],
  ] as const) {
    const result = await place.read(args);
    expect(result.code).toBe(2);
    expect(errorLine(result)).toContain(message);
  }
});
