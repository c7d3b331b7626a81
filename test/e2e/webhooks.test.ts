import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { newEndpoint } from '../../src/domain/delivery.ts';
import { outboxOf } from '../../src/notify/outbox/telling.ts';
import { batchOf } from '../support/ingest-place.ts';
import { storeIn } from '../support/record-rig.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { SECRET, startReceiver } from '../support/webhook-receiver.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

const WITHIN = { timeout: 90_000, interval: 50 };

test('from a dropped file to a signed event, with list, test, replay and status on the way', async () => {
  const sandbox = await sandboxForTest();
  const receiver = await startReceiver();
  const place = await newWorkplace();
  const told = place.path('told.jsonl');
  await place.file('settled.sh', `#!/bin/sh\ncat >> '${told}'\necho >> '${told}'\n`);
  const webhook = { name: 'pipeline', url: `${receiver.origin}/T0/hidden`, secret: SECRET };
  const config = inboxConfig(sandboxDestination(sandbox), {
    source: { onSettled: { command: ['sh', './settled.sh'] } },
    webhooks: [webhook],
  });
  await place.config(config);
  for (const name of ['a.txt', 'b.txt', 'c.txt']) await place.file(`inbox/${name}`, `content of ${name}`);

  const run = await place.run(['run', '--once', '--yes']);
  expect(run.code).toBe(0);
  expect(receiver.told().size).toBe(3);
  expect(receiver.arrived.every(({ body }) => body.type === 'file.uploaded')).toBe(true);
  const receipts = await place.receipts();
  expect([...receiver.told().keys()].sort()).toEqual(receipts.map(({ id, gen }) => `${id}-${gen}`).sort());

  const list = await place.run(['webhooks', 'list', '--json']);
  const rows = list.stdout.trim().split('\n');
  expect(rows.map((row) => JSON.parse(row) as unknown)).toEqual([
    expect.objectContaining({
      endpoint: 'pipeline',
      target: receiver.origin,
      source: 'inbox',
      pending: 0,
      dead: 0,
    }),
    expect.objectContaining({ endpoint: 'onSettled', target: 'sh', pending: 0 }),
  ]);

  expect((await place.read(['trace', 'inbox/a.txt'])).stdout).toContain('delivered webhook pipeline');
  const trial = await place.run(['webhooks', 'test', 'pipeline']);
  expect(trial).toMatchObject({ code: 0, stdout: expect.stringContaining('acknowledged (204)') });
  expect(receiver.arrived.at(-1)?.body).toMatchObject({ data: { source: 'slipway-test' } });
  const nobody = await place.read(['webhooks', 'test', 'http://127.0.0.1:1/hook']);
  expect(nobody).toMatchObject({ code: 5, stdout: expect.stringContaining('signed with whsec_') });
  const secret = await place.run(['webhooks', 'secret']);
  expect(secret.stdout).toMatch(/^whsec_[A-Za-z0-9+/]{43}=\n$/);

  const sent = await place.run(['webhooks', 'deliver', 'pipeline']);
  expect(sent).toMatchObject({ code: 0, stdout: 'pipeline, source inbox: nothing waits any more\n' });
  expect(await place.read(['webhooks', 'deliver', 'pipelin'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('there are pipeline, onSettled'),
  });

  // Nobody runs: it is kept for the next start. Then somebody does: he is asked.
  const asked = await place.read(['webhooks', 'replay', 'pipeline', '--since', '1h']);
  expect(asked.stdout).toBe('pipeline, source inbox: everything since at the next slipway run\n');
  const watching = place.start(['run', '--yes']);
  await expect
    .poll(() => [...receiver.told().values()].filter((times) => times === 2).length, WITHIN)
    .toBe(3);
  const live = await place.run(['webhooks', 'replay', 'pipeline', '--id', receipts[0]?.id ?? '']);
  expect(live.stdout).toMatch(/^pipeline, source inbox: 1 deliveries by process \d+\n$/);
  await expect.poll(() => receiver.told().get(`${receipts[0]?.id}-0`), WITHIN).toBe(3);
  await expect
    .poll(async () => (await place.read(['status'])).stdout, WITHIN)
    .toContain(`webhook pipeline  ${receiver.origin}  ok; 0 on their way`);
  watching.signal('SIGTERM');
  const ended = await watching.ended;
  expect(ended.code).toBe(0);

  const everything = [run, list, trial, asked, live, ended]
    .map(({ stdout, stderr }) => stdout + stderr)
    .join('');
  for (const hidden of ['whsec_', 'T0/hidden']) expect(everything).not.toContain(hidden);
  expect(receiver.refusals).toEqual([]);
});

test('an ingest tells of its files and of its end, also of a folder that no source names', async () => {
  const sandbox = await sandboxForTest();
  const receiver = await startReceiver();
  const place = await newWorkplace();
  const webhook = { name: 'pipeline', url: receiver.origin, secret: SECRET };
  await place.config(inboxConfig(sandboxDestination(sandbox), { source: {}, webhooks: [webhook] }));
  for (const name of ['a.txt', 'b.txt']) await place.file(`job/${name}`, `content of ${name}`);
  const ended = await place.run(['ingest', place.path('job'), '--yes', '--json']);
  expect(ended.code).toBe(0);
  const { batch } = batchOf(ended);
  expect(receiver.arrived.map(({ body }) => body.type).sort()).toEqual([
    'batch.completed',
    'file.uploaded',
    'file.uploaded',
  ]);
  const told = receiver.arrived.find(({ body }) => body.type === 'batch.completed');
  expect(told?.body.data).toMatchObject({ batch, counts: { discovered: 2, uploaded: 2 } });
  expect(receiver.refusals).toEqual([]);
});

test('what was given up of a webhook that is gone from the config is passed over by no command in silence', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox), {}));
  await place.file('inbox/a.txt', 'a');
  expect((await place.run(['run', '--once', '--yes'])).code).toBe(0);
  // As three days of attempts would leave it.
  const store = await storeIn(place.path());
  const { outbox } = outboxOf(store);
  const at = { seq: 1, eventAtMs: Date.now(), attempts: 10, dueAtMs: 0, events: 1, last: null };
  store.ledger.transact(() => {
    outbox.putState('old', { ...newEndpoint(0, 0), dead: 1 });
    outbox.put('old', { ...at, id: 'msg_1', content: { kind: 'batch', batch: 'b1' }, state: 'dead' });
  });
  await store.close();

  const fix = 'give them up (slipway failed discard --match old)';
  const [listed, retried, replayed] = [
    await place.read(['failed', 'list']),
    await place.read(['failed', 'retry']),
    await place.read(['webhooks', 'replay', '--failed']),
  ];
  expect(listed.stdout).toContain(fix);
  expect(retried.stdout).toContain(`inbox: 1 delivery stays as it is: the config has no webhook old`);
  expect(retried.stdout).toContain(fix);
  expect(replayed.stderr).toContain(`1 delivery stays given up: the config has no webhook old`);
  expect(replayed.stderr).toContain(fix);
  const discarded = await place.run(['failed', 'discard', '--match', 'old']);
  expect(discarded).toMatchObject({ code: 0, stdout: 'inbox: 1 delivery is given up\n' });
  expect((await place.read(['failed', 'list'])).stdout).not.toContain('old');
});

test('mistakes are told with the fix', async () => {
  const place = await newWorkplace();
  await writeFile(place.path('slipway.yaml'), 'webhooks: [{ name: a, url: "https://x", secret: abc }]\n');
  const wrong = await place.read(['webhooks', 'list']);
  expect(wrong).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('slipway webhooks secret makes one'),
  });
  await place.config({});
  expect(await place.read(['webhooks', 'replay'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Give one of --since, --id or --failed'),
  });
  expect(await place.read(['webhooks', 'replay', 'nobody', '--failed'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('there is no webhook nobody: the config has none'),
  });
  expect(await place.read(['webhooks', 'test', 'nobody'])).toMatchObject({ code: 2 });
});
