import { expect, test } from 'vitest';
import { endpointTo, notifyRig, paths, until } from '../../support/notify-rig.ts';
import { receiptsIn, SECRET, startReceiver } from '../../support/webhook-receiver.ts';

test('every receipt arrives once, signed, as the journal has it; what came before the endpoint does not', async () => {
  const rig = await notifyRig();
  const receiver = await startReceiver();
  await rig.record(['old.pdf']);
  const notifier = await rig.start([endpointTo(`${receiver.origin}/hook?key=secret`)]);
  const receipts = await rig.record(paths(25));
  await notifier.caughtUp();
  expect(receiver.refusals).toEqual([]);
  expect(receiver.arrived).toHaveLength(25);
  expect(new Set(receiver.arrived.map(({ id }) => id)).size).toBe(25);
  const first = receiver.arrived.find(({ body }) => receiptsIn(body)[0]?.path === 'file-0.pdf');
  expect(first?.body).toEqual({
    type: 'file.uploaded',
    timestamp: receipts[0]?.recordedAt,
    data: receipts[0],
  });
  expect(notifier.report()).toMatchObject([{ name: 'pipeline', pending: 0, behindBytes: 0, health: 'ok' }]);
});

test('an endpoint hears only what it asked for, and the end of a batch with counts, manifest and duration', async () => {
  const rig = await notifyRig();
  const receiver = await startReceiver();
  const notifier = await rig.start([
    endpointTo(receiver.origin, { events: ['file.failed', 'batch.completed'] }),
  ]);
  await rig.record(paths(3));
  const error = {
    code: 'rejected',
    kind: 'rejected',
    message: 'no',
    httpStatus: 400,
    at: new Date().toISOString(),
  };
  await rig.record(['bad.pdf'], { status: 'failed', url: null, sha256: null, error });
  const end = rig.endBatch('b1');
  await notifier.caughtUp();
  expect(receiver.arrived.map(({ body }) => body.type).sort()).toEqual(['batch.completed', 'file.failed']);
  const told = receiver.arrived.find(({ body }) => body.type === 'batch.completed');
  expect(told?.body).toEqual({
    type: 'batch.completed',
    timestamp: end.completedAt,
    data: { ...end, durationMs: 7_500 },
  });
});

test('with `batch` receipts come in windows by count and time, without `remote`', async () => {
  const rig = await notifyRig();
  const receiver = await startReceiver();
  const batch = { maxItems: 10, maxWait: 100 };
  await rig.start([endpointTo(receiver.origin, { batch })]);
  await rig.record(paths(25));
  await until(() => expect(receiver.told().size).toBe(25));
  expect(receiver.arrived.map(({ body }) => receiptsIn(body).length).sort()).toEqual([10, 10, 5]);
  expect(receiver.arrived.every(({ body }) => body.type === 'files.settled')).toBe(true);
  expect(receiptsIn(receiver.arrived[0]?.body ?? { type: '', data: null })[0]).not.toHaveProperty('remote');
});

test('while a secret is changed both sign', async () => {
  const rig = await notifyRig();
  const other = 'whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=';
  const old = await startReceiver(() => null, other);
  const fresh = await startReceiver();
  const secrets = { kind: 'http', secrets: [SECRET, other], headers: { authorization: 'Bearer x' } } as const;
  await rig.start([
    endpointTo(old.origin, { name: 'old', target: { ...secrets, url: old.origin } }),
    endpointTo(fresh.origin, { name: 'fresh', target: { ...secrets, url: fresh.origin } }),
  ]);
  await rig.record(['a.pdf']);
  await rig.notifier().caughtUp();
  expect([...old.refusals, ...fresh.refusals]).toEqual([]);
  expect(old.arrived[0]?.signatures).toBe(2);
  expect(fresh.arrived[0]?.signatures).toBe(2);
  expect(old.arrived[0]?.id).not.toBe(fresh.arrived[0]?.id);
});
