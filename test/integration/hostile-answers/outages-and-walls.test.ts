import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, test, vi } from 'vitest';
import type { DestinationReport } from '../../../src/domain/live-report.ts';
import type { Run } from '../../../src/runtime/run.ts';
import { type PacedAnswer, pacedDefinition, startPacedApi } from '../../support/paced-api.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';

const never = new AbortController().signal;
const GIVE_UP_MS = 60_000;
const OUTAGE_MS = 10_000;

const html = (title: string) => ({
  type: 'text/html; charset=utf-8',
  body: `<!doctype html><html><head><title>${title}</title></head><body>…</body></html>`,
});

const LOGIN: PacedAnswer = { status: 200, page: html('Sign in to the network') };
const WALL: PacedAnswer = { status: 403, page: html('Request blocked') };
const GARBAGE: PacedAnswer = {
  status: 200,
  page: {
    type: 'application/octet-stream',
    headers: { 'content-encoding': 'gzip' },
    body: gzipSync('not what this API says').subarray(0, 20),
  },
};

async function destinationOf(run: Run): Promise<DestinationReport> {
  const [destination] = (await run.report()).destinations;
  if (destination === undefined) throw new Error('no destination');
  return destination;
}

const failedOf = (rig: RunRig): string[] =>
  rig
    .receipts()
    .filter(({ status }) => status !== 'uploaded')
    .map(({ path }) => path);

const OUTAGES: readonly (readonly [string, PacedAnswer])[] = [
  ['503', { status: 503 }],
  ['a login page with status 200', LOGIN],
  ['a page of a firewall with status 403', WALL],
  ['compressed bytes that are none', GARBAGE],
  ['JSON of another shape', { status: 200, page: { type: 'application/json', body: '{"ok":true}' } }],
  [
    'a redirect to a login page',
    { status: 302, page: { ...html('Found'), headers: { location: '/login' } } },
  ],
];

/** @param what stands in front of what fails: several go on at the same time */
async function outage(what: string, answer: PacedAnswer): Promise<void> {
  const api = await startPacedApi(20);
  const rig = await runRig({ definition: pacedDefinition(api), atOnce: 8, retry: { attempts: 3 } });
  rig.files(500);
  const run = await rig.start();
  await vi.waitFor(() => expect(api.accepted().length, what).toBeGreaterThan(50));
  api.answer = () => answer;
  const before = api.requests.length;
  await vi.waitFor(async () => expect((await destinationOf(run)).circuit, what).not.toBe('closed'));
  await sleep(OUTAGE_MS);
  // Eight were under way, and six in a row open it; then one at a time tries, after 0.5, 1, 2 and then every 3 s.
  expect(api.requests.length - before, what).toBeLessThanOrEqual(40);
  expect(failedOf(rig), what).toEqual([]);
  api.answer = () => undefined;
  expect(await run.once(GIVE_UP_MS, never), what).toEqual(['drained']);
  expect(rig.receipts(), what).toHaveLength(500);
  expect(failedOf(rig), what).toEqual([]);
}

test('an outage of ten seconds, whatever it looks like, fails no file, is asked a few times, and is over soon after', async () => {
  // All at once: each has a server, a Redis and a run of its own, and mostly waits.
  await Promise.all(OUTAGES.map(([what, answer]) => outage(what, answer)));
});

test('where nothing was ever accepted, twenty answers that are not the API’s stop the destination, and say what came', async () => {
  const api = await startPacedApi();
  api.answer = () => LOGIN;
  const rig = await runRig({
    definition: pacedDefinition(api),
    atOnce: 32,
    retry: { baseDelay: 10, maxDelay: 50 },
  });
  rig.files(60);
  const run = await rig.start();
  expect(await run.once(5 * GIVE_UP_MS, never)).toEqual(['stopped']);
  const { failure } = await destinationOf(run);
  expect(failure).toMatch(
    /answers in a row.*no file was ever accepted.*HTTP 200.*text\/html.*Sign in to the network/,
  );
  // Those that were under way together may be a few more than twenty: each of them may be a copy.
  expect(api.requests.length).toBeLessThanOrEqual(20 + 32);
  expect(rig.receipts()).toEqual([]);
});

test('a login page for one file only counts against that file: it fails for itself once others get through', async () => {
  const api = await startPacedApi(5);
  const rig = await runRig({
    ...{ definition: pacedDefinition(api), atOnce: 4 },
    retry: { attempts: 3, baseDelay: 10, maxDelay: 20 },
  });
  let asked = 0;
  api.answer = (name) => {
    if (name !== '7.txt') return undefined;
    // Its retries may come behind all others: something has to get through after each.
    asked += 1;
    rig.file(`after ${asked}.txt`);
    return LOGIN;
  };
  rig.files(100);
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(failedOf(rig)).toEqual(['7.txt']);
});

test('what every file gets from some moment on is the destination’s: it stops, and keeps the files', async () => {
  const api = await startPacedApi(50);
  const rig = await runRig({ definition: pacedDefinition(api), atOnce: 8 });
  rig.files(400);
  const run = await rig.start();
  await vi.waitFor(() => expect(api.accepted().length).toBeGreaterThan(60), 20_000);
  api.answer = () => ({ status: 400 });
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['stopped']);
  expect((await destinationOf(run)).failure).toMatch(/20 files in a row were refused in the same way/);
  // Answers to what was sent before that moment still came in between: they prove nothing.
  expect(failedOf(rig)).toEqual([]);
});
