import { expect, onTestFinished, test, vi } from 'vitest';
import { filePlaces } from '../../../src/queue/job-list.ts';
import { openSourceQueues } from '../../../src/queue/source-queues.ts';
import { askOwner } from '../../../src/redis/coordination/owner-requests.ts';
import { startHttpServer } from '../../support/http-server.ts';
import { pacedDefinition } from '../../support/paced-api.ts';
import { type RunRig, type RunRigOptions, runRig } from '../../support/run-rig.ts';

const GIVE_UP_MS = 30_000;
const soon = { timeout: GIVE_UP_MS, interval: 10 };

/** A file API that answers when the test says so, and what it says. */
async function heldApi() {
  const asked: string[] = [];
  const held: { readonly filename: string; readonly answer: (status: number) => void }[] = [];
  let isOpen = false;
  const server = await startHttpServer(async (visit) => {
    const filename = /filename="([^"]*)"/.exec((await visit.body()).toString('latin1'))?.[1] ?? '';
    asked.push(filename);
    const status = isOpen ? 200 : await new Promise<number>((answer) => void held.push({ filename, answer }));
    visit.json(status, status === 200 ? { id: `file-${filename}` } : { error: { message: 'not now' } });
  });
  return {
    definition: pacedDefinition({ server } as Parameters<typeof pacedDefinition>[0]),
    asked,
    /** Answers the oldest request, as soon as there is one. */
    async answer(status = 200): Promise<string> {
      await vi.waitFor(() => expect(held.length).toBeGreaterThan(0), soon);
      const request = held.shift();
      request?.answer(status);
      return request?.filename ?? '';
    },
    open() {
      isOpen = true;
      for (const { answer } of held.splice(0)) answer(200);
    },
  };
}

/** One upload at a time, with a backlog of 300 files of which as many as may be are in Redis. */
async function withBacklog(options: Partial<RunRigOptions> = {}) {
  const api = await heldApi();
  const rig = await runRig({ definition: api.definition, atOnce: 1, ...options });
  rig.files(300);
  const run = await rig.start({ maxPending: 100 });
  const connection = rig.redis.connect();
  const inHand = (): Promise<string[]> => connection.lrange('slipway:{inbox}.live:active', 0, -1);
  const pending = async (): Promise<number> => (await run.report()).sources[0]?.pending ?? 0;
  onTestFinished(() => api.open());
  // The backlog travels in carriers, all in hand, and each of its files waits for the one permit.
  await vi.waitFor(async () => expect(await pending()).toBeGreaterThanOrEqual(75), soon);
  await vi.waitFor(() => expect(api.asked.length).toBeGreaterThan(0), soon);
  /** Resolves when this one waits for the permit, ahead of all that travels. */
  const isNext = (name: string): Promise<void> =>
    vi.waitFor(async () => {
      const ids = await inHand();
      const jobs = await Promise.all(ids.map((id) => connection.hget(`slipway:{inbox}.live:${id}`, 'data')));
      expect(jobs.map((data) => (JSON.parse(data ?? '{}') as { path?: string }).path)).toContain(name);
    }, soon);
  const queues = openSourceQueues({ connection, prefix: 'slipway', source: 'inbox', looks: true });
  onTestFinished(() => queues.close());
  const inRedis = async (): Promise<number> => (await filePlaces(queues)).size;
  return { api, rig, run, isNext, inRedis };
}

/** Everything was sent once, but for the tries that were refused. */
function expectEachOnce(rig: RunRig, asked: readonly string[], files: number, refused = 0): void {
  const uploaded = rig.receipts().filter(({ status }) => status === 'uploaded');
  expect(new Set(uploaded.map(({ path }) => path)).size).toBe(files);
  expect(uploaded).toHaveLength(files);
  expect(asked).toHaveLength(files + refused);
}

test('files dropped into a folder whose backlog fills the queue are the next but a few to be uploaded', async () => {
  const { api, rig, run, isNext, inRedis } = await withBacklog();
  for (let index = 0; index < 3; index += 1) {
    rig.file(`live ${index}.pdf`);
    await isNext(`live ${index}.pdf`);
  }
  expect(await inRedis()).toBeLessThanOrEqual(100);
  const next: string[] = [];
  for (let count = 0; count < 8; count += 1) next.push(await api.answer());
  expect(next.filter((name) => name.startsWith('live')).sort()).toEqual([
    'live 0.pdf',
    'live 1.pdf',
    'live 2.pdf',
  ]);
  api.open();
  expect(await run.once(GIVE_UP_MS, new AbortController().signal)).toEqual(['drained']);
  expectEachOnce(rig, api.asked, 303);
});

test('one that is refused for now comes before the backlog again', async () => {
  const { api, rig, run, isNext } = await withBacklog({
    retry: { baseDelay: 20, maxDelay: 40 },
  });
  rig.file('live.pdf');
  await isNext('live.pdf');
  let tries = 0;
  for (let count = 0; tries < 3; count += 1) {
    expect(count).toBeLessThan(16);
    await vi.waitFor(() => expect(api.asked.length).toBeGreaterThan(count), soon);
    const isLive = api.asked[count] === 'live.pdf';
    if (isLive) tries += 1;
    await api.answer(isLive && tries < 3 ? 503 : 200);
    // Only once it waits for its turn again does the next one show who has it.
    if (isLive && tries < 3) await isNext('live.pdf');
  }
  api.open();
  expect(await run.once(GIVE_UP_MS, new AbortController().signal)).toEqual(['drained']);
  expectEachOnce(rig, api.asked, 301, 2);
});

test('a file that is asked for by name goes before the backlog, though the scan is held up by it', async () => {
  const { api, rig, run, isNext } = await withBacklog();
  const first = await api.answer();
  const request = {
    ...{ kind: 'send-again', name: { path: first }, to: rig.plan().destination },
    ...{ batch: null, mark: null, from: 0 },
  };
  const place = { connection: rig.redis.connect(), prefix: 'slipway', source: 'inbox' };
  // It has to be recorded first.
  await expect
    .poll(() => askOwner({ ...place, request, timeoutMs: 20_000 }), soon)
    .toMatchObject({ versions: 1 });
  await isNext(first);
  const next: string[] = [];
  for (let count = 0; count < 4; count += 1) next.push(await api.answer());
  expect(next).toContain(first);
  api.open();
  expect(await run.once(GIVE_UP_MS, new AbortController().signal)).toEqual(['drained']);
  const uploaded = rig.receipts().filter(({ status }) => status === 'uploaded');
  expect(uploaded).toHaveLength(301);
  expect(uploaded.filter(({ path }) => path === first).map(({ gen }) => gen)).toEqual([0, 1]);
  expect(api.asked).toHaveLength(301);
});
