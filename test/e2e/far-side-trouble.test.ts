/** What the token service and the destination can do to a run: exit codes 5, 6 and 7, jobs kept, nothing lost. */
import { expect, test } from 'vitest';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import type { FaultPlan } from '../../src/sandbox/trouble/fault-rule.ts';
import { type CliResult, logLines, STACK_TRACE } from '../support/cli.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination, type Workplace } from '../support/workplace.ts';

const ONCE = ['run', '--once'];
/** Long enough to find all files on a busy machine, for a run that nothing but this ends. */
const IMPATIENT = [...ONCE, '--give-up', '4s'];

async function placeWithFiles(count: number): Promise<Workplace> {
  const place = await newWorkplace();
  for (let index = 0; index < count; index += 1) await place.file(`inbox/${index}.txt`, `file ${index}`);
  return place;
}

/** Its log is JSON lines, none of them a stack trace; one of them says why it ended so. */
function expectReason({ stderr }: CliResult, reason: RegExp): void {
  expect(stderr).not.toMatch(STACK_TRACE);
  expect(logLines(stderr).filter(({ msg }) => reason.test(msg)).length).toBeGreaterThan(0);
}

test('with the token service down it gives up with 5, and a later run uploads what it kept', async () => {
  const place = await placeWithFiles(5);
  // Ports that were free a moment ago, and are again.
  const before = await openSandbox();
  await before.close();
  await place.config(inboxConfig(sandboxDestination(before)));

  const down = await place.run(IMPATIENT);
  expect(down.code).toBe(5);
  expectReason(down, /5 kept for the next run.*token service at http:\/\/127\.0\.0\.1:\d+ does not answer/);
  expect(await place.receipts()).toEqual([]);

  const port = (url: string): number => Number(new URL(url).port);
  const ports = { token: port(before.tokenUrl), api: port(before.autoglmUrl) };
  const sandbox = await sandboxForTest({ ports });
  const up = await place.run(ONCE);
  expect(up.code).toBe(0);
  expect((await place.receipts()).map(({ status, gen, path }) => [status, gen, path]).sort()).toEqual(
    [0, 1, 2, 3, 4].map((index) => ['uploaded', 0, `${index}.txt`]),
  );
  expect(sandbox.summary()).toMatchObject({ count: 5, repeated: 0 });
});

test.for<{ trouble: string; faults: FaultPlan; reason: RegExp }>([
  {
    trouble: 'a token service that refuses',
    faults: [{ api: 'token', action: '401' }],
    reason: /token service at http:\/\/127\.0\.0\.1:\d+ answered HTTP 401: log in there/,
  },
  {
    trouble: 'every fresh token refused (400000)',
    faults: [{ api: 'autoglm', action: 'code', code: 400000 }],
    reason: /refused two freshly read tokens in a row: log in again/,
  },
  {
    trouble: 'an account without the right to upload (410000)',
    faults: [{ api: 'autoglm', action: 'code', code: 410000 }],
    reason: /no right to upload/,
  },
  {
    trouble: 'a signature refused even with the server’s own time (400002)',
    faults: [{ api: 'autoglm', action: 'code', code: 400002 }],
    reason: /check the clock of this machine/,
  },
])('$trouble stops the destination with 7 and keeps the jobs', async ({ faults, reason }) => {
  const place = await placeWithFiles(3);
  const sandbox = await sandboxForTest({ faults });
  await place.config(inboxConfig(sandboxDestination(sandbox)));

  const stopped = await place.run(ONCE);
  expect(stopped.code).toBe(7);
  expectReason(stopped, reason);
  expect(await place.receipts()).toEqual([]);

  sandbox.clearFaults();
  expect((await place.run(ONCE)).code).toBe(0);
  expect((await place.receipts()).map(({ status }) => status)).toEqual(Array(3).fill('uploaded'));
  expect(sandbox.summary()).toMatchObject({ count: 3, repeated: 0 });
});

test('a clock that is an hour off costs nothing: the signature follows the server’s time', async () => {
  const place = await placeWithFiles(3);
  const sandbox = await sandboxForTest({ now: () => Date.now() + 3_600_000 });
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  expect((await place.run(ONCE)).code).toBe(0);
  expect((await place.receipts()).map(({ status }) => status)).toEqual(Array(3).fill('uploaded'));
});

test('twenty equal refusals and no success condemn the destination, not the files', async () => {
  const place = await placeWithFiles(40);
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: 'code', code: 400003 }] });
  await place.config(inboxConfig(sandboxDestination(sandbox)));

  const stopped = await place.run(ONCE);
  expect(stopped.code).toBe(7);
  expectReason(stopped, /20 files in a row were refused in the same way and none was accepted/);
  expect(await place.receipts()).toEqual([]);

  sandbox.clearFaults();
  expect((await place.run(ONCE)).code).toBe(0);
  expect((await place.receipts()).filter(({ status }) => status === 'uploaded')).toHaveLength(40);
});

test('what is kept is counted where it lies: the queue has room for some of it only', async () => {
  const place = await placeWithFiles(300);
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: 'code', code: 410000 }] });
  await place.config({ ...inboxConfig(sandboxDestination(sandbox)), queue: { maxPending: 50 } });
  const result = await place.run(ONCE);
  expect(result.code).toBe(7);
  expectReason(result, /0 failed, 300 kept for the next run/);
});

test('a few files that are all refused have failed, since nothing says that the destination is wrong', async () => {
  const place = await placeWithFiles(4);
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: 'code', code: 400003 }] });
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  expect((await place.run(ONCE)).code).toBe(6);
  expect((await place.receipts()).map(({ status }) => status)).toEqual(Array(4).fill('failed'));
});

test('one refused file among good ones fails alone, with 6', async () => {
  const place = await placeWithFiles(30);
  const faults: FaultPlan = [{ api: 'autoglm', action: 'code', code: 400001, filename: '7.txt' }];
  const sandbox = await sandboxForTest({ faults });
  await place.config(inboxConfig(sandboxDestination(sandbox)));

  const result = await place.run(ONCE);
  expect(result.code).toBe(6);
  expectReason(result, /1 failed, 0 kept for the next run/);
  const receipts = await place.receipts();
  expect(receipts).toHaveLength(30);
  const failed = receipts.filter(({ status }) => status !== 'uploaded');
  expect(failed).toMatchObject([
    {
      path: '7.txt',
      status: 'failed',
      url: null,
      sha256: null,
      error: { kind: 'rejected', httpStatus: 200 },
    },
  ]);
  // A failed version stays failed: only an edit, or somebody's word, sends it again; until then it is said every time.
  expect((await place.run(ONCE)).code).toBe(6);
  expect(await place.receipts()).toHaveLength(30);
});

test('resets, 503 and 429 in the middle are got over without anybody noticing', async () => {
  const place = await placeWithFiles(60);
  const faults: FaultPlan = [
    { api: 'autoglm', action: 'reset-before-body', every: 7, times: 4 },
    { api: 'autoglm', action: '503', every: 5, times: 4 },
    { api: 'autoglm', action: '429', retryAfter: 0, every: 6, times: 4 },
    { api: 'token', action: 'token', uses: 7 },
  ];
  const sandbox = await sandboxForTest({ faults });
  const retry = { baseDelay: '20ms', maxDelay: '200ms' };
  await place.config(inboxConfig(sandboxDestination(sandbox), { retry }));
  expect((await place.run(ONCE)).code).toBe(0);
  expect((await place.receipts()).filter(({ status }) => status === 'uploaded')).toHaveLength(60);
  expect(sandbox.summary()).toMatchObject({
    count: 60,
    repeated: 0,
    faults: { 'reset-before-body': 4, '503': 4, '429': 4 },
  });
});
