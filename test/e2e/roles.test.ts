/** The two halves of the work as processes of their own: intake and worker, and the upload processes of one run. */
import { execFileSync } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import type { Receipt } from '../../src/domain/receipt.ts';
import { expectHealthyCommand } from '../support/healthy-run.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination, type Workplace } from '../support/workplace.ts';

const FILES = 60;

async function drop(place: Workplace, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await place.file(`inbox/file-${n}.txt`, `content ${n}`);
}

function expectEachOnce(receipts: readonly Receipt[], count: number): void {
  expect(receipts.every(({ status }) => status === 'uploaded')).toBe(true);
  expect(new Set(receipts.map(({ path }) => path)).size).toBe(count);
  expect(receipts.length).toBe(count);
}

/** Pids of the processes that this one has forked. */
function childrenOf(pid: number): number[] {
  const rows = execFileSync('ps', ['-Ao', 'pid=,ppid=,command='], { encoding: 'utf8' }).split('\n');
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(
      ([, parent, ...command]) => Number(parent) === pid && command.join(' ').includes('worker-process'),
    )
    .map(([child]) => Number(child));
}

test('an intake alone says within seconds that nobody uploads, and a worker that comes takes what waits', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  await drop(place, FILES);
  const intake = place.start(['intake']);
  await intake.said('nobody does the worker of source inbox');
  expect(await place.receipts()).toEqual([]);
  const worker = place.start(['worker', '--concurrency', '4']);
  await place.recorded(FILES);
  await place.file('inbox/live.txt', 'comes while both run');
  await place.recorded(FILES + 1);
  expect(sandbox.summary().maxUploadsInFlight).toBeLessThanOrEqual(4);
  worker.signal('SIGTERM');
  expect((await worker.ended).code).toBe(0);
  intake.signal('SIGTERM');
  expect((await intake.ended).code).toBe(0);
  expectEachOnce(await place.receipts(), FILES + 1);
});

test('the jobs of a killed worker are uploaded by another one', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: 'slow', ms: 400 }] });
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  await drop(place, FILES);
  const intake = place.start(['intake']);
  const first = place.start(['worker']);
  await place.recorded(3);
  const second = place.start(['worker']);
  await second.said('uploading from');
  first.signal('SIGKILL');
  await first.ended;
  await place.recorded(FILES);
  for (const cli of [second, intake]) {
    cli.signal('SIGTERM');
    expect((await cli.ended).code).toBe(0);
  }
  expectEachOnce(await place.receipts(), FILES);
});

test('a worker that cannot see a folder serves the others, says which it does not, and opens it once it is there', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const config = inboxConfig(sandboxDestination(sandbox)) as { sources: Record<string, object> };
  config.sources.elsewhere = { path: './not-mounted-here', destination: 'demo' };
  await place.config(config);
  const worker = place.start(['worker']);
  await worker.said('this worker does not serve source elsewhere');
  await worker.said('nobody does the intake of source inbox');
  expect(worker.stderr()).toContain(`uploading from ${place.path('inbox')}`);
  expect(worker.stderr()).not.toContain(`uploading from ${place.path('not-mounted-here')}`);
  await mkdir(place.path('not-mounted-here'));
  await worker.said('opened the queue of source elsewhere');
  await worker.said('nobody does the intake of source elsewhere');
  worker.signal('SIGTERM');
  expect((await worker.ended).code).toBe(0);
});

test('two upload processes to which nothing happens send each of 600 files once and say nothing', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox), { worker: { processes: 2 } }));
  await drop(place, 10 * FILES);
  const { code, stderr } = await place.run(['run', '--once']);
  expect(code).toBe(0);
  expectEachOnce(await place.receipts(), 10 * FILES);
  await expectHealthyCommand({ place, stderr, server: sandbox }, 10 * FILES);
});

test('worker.processes uploads in as many processes, replaces one that is killed, and leaves none behind', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: 'slow', ms: 200 }] });
  await place.config(
    inboxConfig(sandboxDestination(sandbox), {
      worker: { processes: 2, concurrency: { initial: 8, max: 8, adaptive: false } },
    }),
  );
  await drop(place, FILES);
  const run = place.start(['run']);
  await place.recorded(3);
  const [victim] = childrenOf(run.pid);
  process.kill(victim ?? -1, 'SIGKILL');
  await run.said('an upload process ended; starting another');
  await vi.waitFor(() => expect(childrenOf(run.pid).length).toBe(2), { timeout: 20_000 });
  await place.recorded(FILES);
  const children = childrenOf(run.pid);
  run.signalGroup('SIGINT');
  expect((await run.ended).code).toBe(0);
  for (const child of children) expect(() => process.kill(child, 0)).toThrow();
  expectEachOnce(await place.receipts(), FILES);
  expect(sandbox.summary().maxUploadsInFlight).toBeLessThanOrEqual(8);
});

test('with upload processes --once still ends 7 when the destination refuses the token, and keeps the jobs', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: 'code', code: 400000 }] });
  await place.config(inboxConfig(sandboxDestination(sandbox), { worker: { processes: 2 } }));
  await drop(place, 5);
  const refused = await place.run(['run', '--once']);
  expect(refused).toMatchObject({ code: 7 });
  expect(await place.receipts()).toEqual([]);
  sandbox.clearFaults();
  expect((await place.run(['run', '--once'])).code).toBe(0);
  expectEachOnce(await place.receipts(), 5);
});

test('upload processes know from their parent that the folder is the true one: its last file, deleted while queued, has vanished', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox), { worker: { processes: 2 } }));
  await place.file('inbox/a.txt', 'a');
  const intake = place.start(['intake']);
  await vi.waitFor(
    async () => expect((await place.read(['status', '--json'])).stdout).toContain('"waiting":1'),
    { timeout: 20_000, interval: 300 },
  );
  intake.signal('SIGTERM');
  expect((await intake.ended).code).toBe(0);
  await rm(place.path('inbox/a.txt'));
  expect((await place.run(['run', '--once'])).code).toBe(0);
  expect(await place.receipts()).toMatchObject([{ path: 'a.txt', error: { code: 'vanished' } }]);
});
