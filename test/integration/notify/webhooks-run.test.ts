import { expect, test, vi } from 'vitest';
import type {
  DeadLetterFilter,
  DeadLetterKind,
  ShownDeadLetter,
} from '../../../src/operations/failed/dead-letter-kind.ts';
import { deadLetterKinds } from '../../../src/operations/failed/dead-letters.ts';
import { endpointsOf } from '../../../src/runtime/plans/endpoint-plans.ts';
import { definitionOf } from '../../support/destination-definitions.ts';
import { endpointTo, QUICK, SENDERS, until } from '../../support/notify-rig.ts';
import { type RunRigOptions, runRig } from '../../support/run-rig.ts';
import { sandboxForTest } from '../../support/sandbox.ts';
import { SECRET, startReceiver } from '../../support/webhook-receiver.ts';

const never = new AbortController().signal;
const FILES = 150;

async function rigTelling(telling: RunRigOptions['telling'], sources?: readonly string[]) {
  const { autoglmUrl, tokenUrl } = await sandboxForTest();
  const definition = definitionOf('autoglm', { url: autoglmUrl, token: { url: tokenUrl } });
  return await runRig({
    definition,
    ...(telling === undefined ? {} : { telling }),
    ...(sources === undefined ? {} : { sources }),
  });
}

test('an endpoint that hangs slows neither uploads nor another endpoint, and a stop keeps its budget', async () => {
  const hanging = await startReceiver(() => new Promise(() => undefined));
  const good = await startReceiver();
  const rig = await rigTelling({
    endpointsOf: () => [
      endpointTo(hanging.origin, { name: 'hanging', timeoutMs: 60_000 }),
      endpointTo(good.origin, { name: 'good' }),
    ],
    senders: SENDERS,
  });
  rig.files(FILES);
  const run = await rig.start();
  await until(() => expect(good.told().size).toBe(FILES));
  expect(rig.receipts()).toHaveLength(FILES);
  expect(hanging.told().size).toBe(0);
  await vi.waitFor(async () => {
    const [source] = (await run.report()).sources;
    expect(source?.webhooks).toMatchObject([
      { name: 'hanging', pending: FILES, health: 'ok', dead: 0 },
      { name: 'good', pending: 0 },
    ]);
  }, 15_000);
  expect(await run.stop(8_000)).toBe(true);

  // As an older version left it.
  await rig.redis.connect().hset('slipway:{inbox}.webhook.hanging:meta', 'version', 'bullmq:6.7.0');

  // What hung is told by the next start, once there is somebody who listens; the good one hears nothing twice.
  const listening = await startReceiver();
  const again = await rigTellingOn(rig, listening.origin, good.origin);
  expect(await again.once(60_000, never)).toEqual(['drained']);
  expect(listening.told().size).toBe(FILES);
  expect(good.arrived).toHaveLength(FILES);
  expect(await rig.redis.connect().keys('*webhook*')).toEqual([]);
});

async function rigTellingOn(rig: Awaited<ReturnType<typeof runRig>>, first: string, second: string) {
  return await rig.start({
    telling: {
      endpointsOf: () => [endpointTo(first, { name: 'hanging' }), endpointTo(second, { name: 'good' })],
      senders: SENDERS,
    },
  });
}

test('draining once ends when a dead endpoint cannot be told, and another source is not its business', async () => {
  const dead = await startReceiver(() => 500);
  const good = await startReceiver();
  const webhook = (name: string, url: string, sources: string[]) => ({
    ...{ name, url, sources, secret: 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=', headers: {} },
    ...{ events: ['file.uploaded' as const], batch: null, concurrency: 4, timeout: 5_000 },
  });
  const webhooks = [webhook('dead', dead.origin, ['inbox']), webhook('good', good.origin, ['other'])];
  const rig = await rigTelling(
    { endpointsOf: (source) => endpointsOf({ webhooks, sources: {} }, source), senders: SENDERS },
    ['inbox', 'other'],
  );
  rig.files(30, 'inbox');
  rig.files(10, 'other');
  const run = await rig.start();
  expect(await run.once(60_000, never)).toEqual(['drained', 'drained']);
  expect(good.told().size).toBe(10);
  expect(dead.visits()).toBeGreaterThanOrEqual(10);
  expect(dead.visits()).toBeLessThan(20);
});

test('what is recorded is told while Redis is away, and Redis holds nothing of it', async () => {
  let isHanging = true;
  const receiver = await startReceiver(async () => {
    await until(() => expect(isHanging).toBe(false), 60_000);
    return null;
  });
  const endpoint = endpointTo(receiver.origin, { concurrency: 2, timeoutMs: 60_000 });
  const rig = await rigTelling({ endpointsOf: () => [endpoint], senders: SENDERS });
  rig.files(40);
  await rig.start();
  await until(() => expect(rig.receipts()).toHaveLength(40));
  await until(() => expect(receiver.visits()).toBe(2));
  expect(await rig.redis.connect().keys('*webhook*')).toEqual([]);
  await rig.redis.kill();
  isHanging = false;
  await until(() => expect(receiver.told().size).toBe(40));
  expect(receiver.arrived).toHaveLength(40);
});

async function lettersOf(
  kind: DeadLetterKind | undefined,
  filter: DeadLetterFilter,
): Promise<ShownDeadLetter[]> {
  const letters: ShownDeadLetter[] = [];
  for await (const page of kind?.list(filter) ?? []) letters.push(...page);
  return letters;
}

test('a dead delivery is a dead letter: listed beside failed files, sent again or given up by name', async () => {
  let status = 500;
  const receiver = await startReceiver(() => status);
  const webhook = {
    ...{ name: 'pipeline', url: receiver.origin, headers: {}, batch: null, concurrency: 1, timeout: 5_000 },
    ...{ secret: SECRET, events: ['file.uploaded' as const] },
  };
  const config = { webhooks: [webhook], sources: {} };
  const rig = await rigTelling({
    ...{ endpointsOf: (source) => endpointsOf(config, source), senders: SENDERS },
    timing: { ...QUICK, scheduleMs: [0] },
  });
  rig.files(2);
  const run = await rig.start();
  const dead = async () => (await run.report()).sources[0]?.webhooks[0]?.dead;
  await vi.waitFor(async () => expect(await dead()).toBe(2), { timeout: 15_000 });

  const { dataDir } = rig;
  const redis = { url: rig.redis.socketPath, prefix: 'slipway' };
  const [, deliveries] = deadLetterKinds({
    ...{ config: { ...config, dataDir, redis }, sources: [{ name: 'inbox', plan: rig.plan() }] },
    ...{ dataDir, redis, log: rig.log },
  });
  if (deliveries === undefined) throw new Error('no kind for deliveries');
  const listed = (filter: DeadLetterFilter) => lettersOf(deliveries, filter);
  const all = { match: [], codes: [] };
  await vi.waitFor(async () => expect(await listed(all)).toHaveLength(2), { timeout: 15_000 });
  expect(await listed(all)).toMatchObject([
    {
      source: 'inbox',
      code: 'delivery_failed',
      httpStatus: 500,
      subject: expect.stringMatching(/^webhook pipeline msg_/),
    },
    { source: 'inbox' },
  ]);
  expect(await listed({ match: ['other'], codes: [] })).toEqual([]);
  expect(await listed({ match: [], codes: ['rejected'] })).toEqual([]);
  expect(await deliveries.discard({ match: ['other'], codes: [] })).toEqual([]);

  status = 200;
  const owner = { pid: process.pid };
  expect(await deliveries.retry(all)).toMatchObject([{ source: 'inbox', letters: 2, owner }]);
  await until(() => expect(receiver.told().size).toBe(2));
  await vi.waitFor(async () => expect(await dead()).toBe(0), { timeout: 15_000 });

  status = 500;
  rig.file('third.txt');
  // In the ledger, that is: the process knows of it a moment before.
  await vi.waitFor(async () => expect(await listed(all)).toHaveLength(1), { timeout: 15_000 });
  expect(await deliveries.discard(all)).toMatchObject([{ letters: 1, owner }]);
  expect(await listed(all)).toEqual([]);
  expect(receiver.told().size).toBe(2);
});

test.each(['by the running process', 'by nobody but the command'])(
  'dead deliveries of a webhook that is gone from the config can be given up, and say why they are not sent again (%s)',
  async (who) => {
    const receiver = await startReceiver(() => 500);
    const webhook = {
      ...{ name: 'old', url: receiver.origin, headers: {}, batch: null, concurrency: 1, timeout: 5_000 },
      ...{ secret: SECRET, events: ['file.uploaded' as const] },
    };
    const before = { webhooks: [webhook], sources: {} };
    const telling = { senders: SENDERS, timing: { ...QUICK, scheduleMs: [0] } };
    const rig = await rigTelling({ ...telling, endpointsOf: (source) => endpointsOf(before, source) });
    rig.files(2);
    const first = await rig.start();
    await vi.waitFor(async () => expect((await first.report()).sources[0]?.webhooks[0]?.dead).toBe(2), {
      timeout: 15_000,
    });
    await first.stop(5_000);
    if (who === 'by the running process') await rig.start({ telling: { ...telling, endpointsOf: () => [] } });

    const { dataDir, log } = rig;
    const redis = { url: rig.redis.socketPath, prefix: 'slipway' };
    const config = { webhooks: [], sources: {}, dataDir, redis };
    const facts = { config, sources: [{ name: 'inbox', plan: rig.plan() }], dataDir, redis, log };
    const [, deliveries] = deadLetterKinds(facts);
    const all = { match: [], codes: [] };
    const fix = expect.stringContaining('slipway failed discard --match old');
    expect(await lettersOf(deliveries, all)).toMatchObject([{ fix }, { fix }]);
    expect(await deliveries?.retry(all)).toMatchObject([{ source: 'inbox', letters: 2, refused: fix }]);
    expect(await deliveries?.discard({ match: ['ol*'], codes: [] })).toMatchObject([
      { letters: 2, refused: null, owner: who === 'by the running process' ? { pid: process.pid } : null },
    ]);
    expect(await lettersOf(deliveries, all)).toEqual([]);
  },
);
