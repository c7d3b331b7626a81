import { expect, test, vi } from 'vitest';
import { NOTIFY_TIMING } from '../../../src/notify/notifier.ts';
import { webhookSchema } from '../../../src/notify/options.ts';
import { deliverNow } from '../../../src/operations/webhooks/webhook-deliver.ts';
import { endpointsOf } from '../../../src/runtime/plans/endpoint-plans.ts';
import { definitionOf } from '../../support/destination-definitions.ts';
import { SENDERS, until } from '../../support/notify-rig.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { sandboxForTest } from '../../support/sandbox.ts';
import { SECRET, startReceiver } from '../../support/webhook-receiver.ts';

const HOUR = 3_600_000;
const FILES = 15;
/** A second attempt is hours away. */
const SLOW = { ...NOTIFY_TIMING, spacingMs: 10, pollMs: 50, scheduleMs: [0, HOUR, HOUR, HOUR] };

type Hook = Parameters<typeof webhookSchema.parse>[0];

async function rigWith(hooks: readonly Hook[]) {
  const { autoglmUrl, tokenUrl } = await sandboxForTest();
  const webhooks = hooks.map((hook) => webhookSchema.parse({ secret: SECRET, ...(hook as object) }));
  const rig = await runRig({
    definition: definitionOf('autoglm', { url: autoglmUrl, token: { url: tokenUrl } }),
    telling: {
      endpointsOf: (source) => endpointsOf({ webhooks, sources: {} }, source),
      ...{ senders: SENDERS, timing: SLOW },
    },
  });
  rig.files(FILES);
  const deliver = async (name: string) =>
    await deliverNow({
      config: {
        ...{ webhooks, sources: {}, dataDir: rig.dataDir },
        redis: { url: rig.redis.socketPath, prefix: 'slipway' },
      } as Parameters<typeof deliverNow>[0]['config'],
      sources: [{ name: 'inbox', plan: rig.plan() }],
      ...{ name, senders: SENDERS, log: rig.log },
    });
  return { rig, deliver };
}

async function recorded(rig: RunRig): Promise<void> {
  await vi.waitFor(() => expect(rig.receipts()).toHaveLength(FILES), 20_000);
}

test('the running process sends what waits for its retry, and an endpoint at rest is tried at once', async () => {
  let works = false;
  const receiver = await startReceiver(() => (works ? null : 503));
  const { rig, deliver } = await rigWith([{ name: 'pipeline', url: receiver.origin, concurrency: 4 }]);
  const run = await rig.start();
  await recorded(rig);
  // Ten failures in a row: it rests.
  await until(() => expect(receiver.visits()).toBeGreaterThanOrEqual(10));
  works = true;
  const [answer] = await deliver('pipeline');
  expect(answer).toMatchObject({ source: 'inbox', endpoint: 'pipeline', owner: { pid: process.pid } });
  expect(answer?.deliveries).toBeGreaterThanOrEqual(10);
  await until(() => expect(receiver.told().size).toBe(FILES));
  expect(receiver.arrived).toHaveLength(FILES);
  await vi.waitFor(async () =>
    expect((await run.report()).sources[0]?.webhooks).toMatchObject([{ health: 'ok', pending: 0, dead: 0 }]),
  );
});

test('a window that may wait for an hour is sent now', async () => {
  const receiver = await startReceiver();
  const { rig, deliver } = await rigWith([
    { name: 'windows', url: receiver.origin, batch: { maxItems: 1_000, maxWait: '1h' } },
  ]);
  await rig.start();
  await recorded(rig);
  expect(receiver.arrived).toHaveLength(0);
  await deliver('windows');
  await until(() => expect(receiver.told().size).toBe(FILES));
  expect(receiver.arrived).toHaveLength(1);
});

test('without a running process the command sends by itself, needs no Redis, and leaves other endpoints alone', async () => {
  let status = 503;
  const receiver = await startReceiver(() => status);
  const other = await startReceiver(() => 503);
  const { rig, deliver } = await rigWith([
    { name: 'pipeline', url: receiver.origin },
    { name: 'other', url: other.origin },
  ]);
  const run = await rig.start();
  await recorded(rig);
  await until(() => expect(other.visits()).toBeGreaterThanOrEqual(10));
  await run.stop(5_000);
  const visits = other.visits();
  expect(await deliver('pipeline')).toMatchObject([{ owner: null, problem: 'HTTP 503' }]);
  expect(receiver.told().size).toBe(0);

  // Disabled: it is delivered to again, since somebody asks for it.
  status = 410;
  expect(await deliver('pipeline')).toMatchObject([{ problem: expect.stringContaining('410') }]);
  status = 204;
  expect(await deliver('pipeline')).toMatchObject([
    { enabled: true, owner: null, waiting: 0, problem: null },
  ]);
  expect(receiver.told().size).toBe(FILES);
  expect(other.visits()).toBe(visits);
  expect(await deliver('pipeline')).toMatchObject([{ deliveries: 0, waiting: 0, problem: null }]);
});
