/** G8: the first signal drains, the second cuts short, and it ends within its budget whatever has gone. */
import { existsSync } from 'node:fs';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';
import { logLines } from '../support/cli.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination, type Workplace } from '../support/workplace.ts';

const FILES = 40;
const CONCURRENCY = 4;
const DRAIN_MS = 3_000;
/** A loaded machine takes its time to end and to be noticed; far below the next thing that would end it, a time-out of 60 s. */
const NOTICE_MS = 20_000;

async function placeFor(sandbox: Sandbox, drainMs = 30_000): Promise<Workplace> {
  const place = await newWorkplace();
  const concurrency = { initial: CONCURRENCY, max: CONCURRENCY, adaptive: false };
  const shutdown = { drain: `${drainMs}ms` };
  await place.config(inboxConfig(sandboxDestination(sandbox, { concurrency }), { shutdown }));
  for (let index = 0; index < FILES; index += 1) await place.file(`inbox/${index}.txt`, `file ${index}`);
  return place;
}

async function uploadsInFlight(sandbox: Sandbox, count: number): Promise<void> {
  await vi.waitFor(() => expect(sandbox.summary().uploadsInFlight).toBe(count), { timeout: 20_000 });
}

test.for([
  { signal: 'SIGTERM', args: ['run'] },
  { signal: 'SIGINT', args: ['run', '--once'] },
] as const)(
  '$signal to $args finishes what is in flight, records it and exits 0',
  async ({ signal, args }) => {
    const sandbox = await sandboxForTest({ capacity: { serviceMs: 600 } });
    const place = await placeFor(sandbox);
    const cli = place.start(args);
    await place.recorded(1);
    await uploadsInFlight(sandbox, CONCURRENCY);

    // At a terminal the whole process group gets the signal: the private Redis must not.
    cli.signalGroup(signal);
    expect(await cli.ended).toMatchObject({ code: 0 });

    const receipts = await place.receipts();
    expect(receipts.length).toBeLessThan(FILES);
    expect(receipts.every(({ status, attempts }) => status === 'uploaded' && attempts === 1)).toBe(true);
    expect(sandbox.summary()).toMatchObject({ count: receipts.length, brokenOff: 0 });
    expect(place.redisServers()).toEqual([]);

    expect((await place.run(['run', '--once'])).code).toBe(0);
    expect(await place.receipts()).toHaveLength(FILES);
    expect(sandbox.summary()).toMatchObject({ count: FILES, repeated: 0 });
  },
);

test.for([
  { signal: 'SIGINT', code: 130 },
  { signal: 'SIGTERM', code: 143 },
] as const)(
  'a second $signal cuts uploads short with $code, and the next run has them all',
  async ({ signal, code }) => {
    const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: 'hang' }] });
    const place = await placeFor(sandbox);
    const cli = place.start(['run']);
    await uploadsInFlight(sandbox, CONCURRENCY);
    cli.signal(signal);
    await cli.said('finishing what is in flight');
    cli.signal(signal);
    expect(await cli.ended).toMatchObject({ code });
    expect(cli.stderr()).toContain('cutting it short');
    expect(logLines(cli.stderr()).length).toBeGreaterThan(0);
    expect(await place.receipts()).toEqual([]);

    sandbox.clearFaults();
    expect((await place.run(['run', '--once'])).code).toBe(0);
    expect((await place.receipts()).map(({ status }) => status)).toEqual(Array(FILES).fill('uploaded'));
  },
);

test('uploads that outlast the budget are given back at its end', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: 'hang' }] });
  const place = await placeFor(sandbox, DRAIN_MS);
  const cli = place.start(['run']);
  await uploadsInFlight(sandbox, CONCURRENCY);
  cli.signal('SIGTERM');
  expect(await endedWithin(cli.ended, DRAIN_MS + NOTICE_MS)).toMatchObject({ code: 143 });

  sandbox.clearFaults();
  expect((await place.run(['run', '--once'])).code).toBe(0);
  expect(await place.receipts()).toHaveLength(FILES);
});

test('with Redis killed, and no way to start it again, it still ends within its budget', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 400 } });
  const place = await placeFor(sandbox, DRAIN_MS);
  const binary = await onlyWayToRedis(place);
  const cli = place.start(['run'], { env: { ...place.env, PATH: place.path('bin') } });
  await place.recorded(1);
  await uploadsInFlight(sandbox, CONCURRENCY);

  await rm(binary);
  const [redis, ...others] = place.redisServers();
  expect(others).toEqual([]);
  process.kill(Number(redis), 'SIGKILL');
  await cli.said('could not be started again');
  cli.signal('SIGTERM');

  const { code, signal } = await endedWithin(cli.ended, DRAIN_MS + NOTICE_MS);
  expect([code, signal]).toEqual([expect.toBeOneOf([0, 143]), null]);

  expect((await place.run(['run', '--once'])).code).toBe(0);
  const receipts = await place.receipts();
  expect(receipts.map(({ path }) => path).sort()).toEqual(
    Array.from({ length: FILES }, (_, index) => `${index}.txt`).sort(),
  );
});

test('with Redis killed it is started again, and every file is recorded once', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 300 } });
  const place = await placeFor(sandbox);
  const cli = place.start(['run', '--once']);
  await place.recorded(5);
  process.kill(Number(place.redisServers()[0]), 'SIGKILL');

  expect(await cli.ended).toMatchObject({ code: 0 });
  const receipts = await place.receipts();
  expect(receipts.map(({ status }) => status)).toEqual(Array(FILES).fill('uploaded'));
  expect(new Set(receipts.map(({ id }) => id)).size).toBe(FILES);
});

test('a signal while it is starting leaves no Redis behind', async () => {
  const sandbox = await sandboxForTest();
  const place = await placeFor(sandbox);
  const cli = place.start(['run']);
  await vi.waitFor(() => expect(place.redisServers()).toHaveLength(1), { timeout: 10_000, interval: 5 });
  cli.signal('SIGINT');
  await cli.ended;
  expect(place.redisServers()).toEqual([]);
});

/** A PATH with nothing but a shell and the Redis server, so that a test can take the server away. */
async function onlyWayToRedis(place: Workplace): Promise<string> {
  const found = (process.env.PATH ?? '').split(':').map((folder) => `${folder}/redis-server`);
  const real = found.find((path) => existsSync(path));
  if (real === undefined) throw new Error('no redis-server on PATH: run scripts/setup');
  await mkdir(place.path('bin'));
  await symlink('/bin/sh', place.path('bin/sh'));
  await symlink(real, place.path('bin/redis-server'));
  return place.path('bin/redis-server');
}

/** The budget is a promise (G8), so its end is a deadline, not a measure of speed. */
async function endedWithin<T>(ended: Promise<T>, ms: number): Promise<T> {
  const late = new AbortController();
  const deadline = pause(ms, null, { signal: late.signal }).catch(() => null);
  const first = await Promise.race([ended, deadline]);
  late.abort();
  if (first === null) throw new Error(`not ended within ${ms} ms`);
  return first;
}

test('a reader of the receipts that goes away ends neither the run nor its clean end', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 60 } });
  const concurrency = { initial: 2, max: 2, adaptive: false };
  await place.config(inboxConfig(sandboxDestination(sandbox, { concurrency })));
  for (let index = 0; index < 30; index += 1) await place.file(`inbox/${index}.txt`, `file ${index}`);
  const head = 'set -o pipefail; "$@" | head -1';
  const { code, stdout } = await place.run(['run', '--once', '--json'], {
    through: (command) => ['bash', '-c', head, 'bash', ...command],
  });
  expect(code).toBe(0);
  expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  expect(await place.receipts()).toHaveLength(30);
  expect(place.redisServers()).toEqual([]);
});
