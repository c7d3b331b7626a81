import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compactSource } from '../../../src/ledger/upkeep/compact-journal.ts';
import { rebuildSource } from '../../../src/ledger/upkeep/rebuild-ledger.ts';
import { outboxOf, tellingOf } from '../../../src/notify/outbox/telling.ts';
import { type ReplayWhat, replayDeliveries } from '../../../src/notify/outbox/webhook-replay.ts';
import { endpointTo, type NotifyRig, notifyRig, paths, QUICK, until } from '../../support/notify-rig.ts';
import { receiptsIn, startReceiver } from '../../support/webhook-receiver.ts';

function replay(rig: NotifyRig, what: ReplayWhat) {
  return replayDeliveries(rig.store, rig.notifier(), what, null);
}

const placeOf = (rig: NotifyRig) => ({
  dataDir: join(rig.folder, 'data'),
  source: 'inbox',
  manifest: join(rig.folder, 'inbox.manifest.json'),
  log: rig.log,
});

test.each([null, { maxItems: 7, maxWait: 20 }])(
  'what was recorded since a moment is told again under the ids it had (batch: %j)',
  async (batch) => {
    const rig = await notifyRig();
    const receiver = await startReceiver();
    await rig.record(paths(5, 'before-the-endpoint'), { recordedAt: '2026-11-01T00:00:00.000Z' });
    const notifier = await rig.start([endpointTo(receiver.origin, { batch })]);
    await rig.record(paths(20, 'old'), { recordedAt: '2026-11-02T00:00:00.000Z' });
    await notifier.caughtUp();
    await rig.record(paths(20, 'new'), { recordedAt: '2026-11-03T00:00:00.000Z' });
    await notifier.caughtUp();
    const before = new Map(receiver.arrived.map(({ id, text }) => [id, text]));
    expect(receiver.told().size).toBe(40);

    await replay(rig, { kind: 'since', atMs: Date.parse('2026-11-02T12:00:00Z') });
    await notifier.caughtUp();
    const twice = [...receiver.told().values()].filter((times) => times === 2);
    expect(twice).toHaveLength(20);
    for (const { id, text } of receiver.arrived) expect(before.get(id)).toBe(text);

    // Also what was recorded before the endpoint was first seen.
    await replay(rig, { kind: 'since', atMs: 0 });
    await notifier.caughtUp();
    expect(receiver.told().size).toBe(45);
    const known = receiver.arrived.filter(({ id }) => before.has(id));
    for (const { id, text } of known) expect(before.get(id)).toBe(text);
    const old = receiver.arrived.filter(({ body }) => receiptsIn(body)[0]?.path.startsWith('old-'));
    expect(old.every(({ id }) => before.has(id))).toBe(true);
  },
);

test('one event is told again by its webhook-id, its file version or its batch', async () => {
  const rig = await notifyRig();
  const receiver = await startReceiver();
  const notifier = await rig.start([endpointTo(receiver.origin)]);
  const [first] = await rig.record(paths(3));
  rig.endBatch('b7');
  await notifier.caughtUp();
  const [delivery] = receiver.arrived.filter(({ body }) => receiptsIn(body)[0]?.id === first?.id);
  for (const id of [delivery?.id, first?.id, 'b7']) {
    await replay(rig, { kind: 'id', id: id ?? '' });
    await notifier.caughtUp();
  }
  await until(() => expect(receiver.arrived).toHaveLength(4 + 3));
  expect(receiver.told().get(`${first?.id}-0`)).toBe(3);
  expect(new Set(receiver.arrived.map(({ id }) => id)).size).toBe(4);
  expect(await replay(rig, { kind: 'id', id: 'msg_of_nobody' })).toMatchObject([{ deliveries: 0 }]);
});

test('dead deliveries go again when asked, and a disabled endpoint goes on where it stopped', async () => {
  const rig = await notifyRig();
  let status: number | null = 500;
  const receiver = await startReceiver(() => status);
  const notifier = await rig.start([endpointTo(receiver.origin)], { timing: { ...QUICK, scheduleMs: [0] } });
  await rig.record(['dead.pdf']);
  await until(() => expect(notifier.report()[0]?.dead).toBe(1));
  status = 410;
  await rig.record(['gone.pdf']);
  await until(() => expect(notifier.report()[0]?.health).toBe('disabled'));
  await rig.record(paths(10, 'meanwhile'));
  status = null;
  expect(await replay(rig, { kind: 'failed' })).toEqual([
    { endpoint: 'pipeline', deliveries: 1, enabled: true },
  ]);
  await until(() => expect(receiver.told().size).toBe(12));
  expect(notifier.report()[0]).toMatchObject({ dead: 0, health: 'ok', disabled: null });
});

test('an id that nothing is found for leaves a disabled endpoint disabled', async () => {
  const rig = await notifyRig();
  let status: number | null = 410;
  const receiver = await startReceiver(() => status);
  const notifier = await rig.start([endpointTo(receiver.origin)]);
  const [receipt] = await rig.record(['gone.pdf']);
  await until(() => expect(notifier.report()[0]?.health).toBe('disabled'));
  status = null;
  const nothing = [{ endpoint: 'pipeline', deliveries: 0, enabled: false }];
  expect(await replay(rig, { kind: 'id', id: 'msg_of_nobody' })).toEqual(nothing);
  expect(notifier.report()[0]?.health).toBe('disabled');
  const found = [{ endpoint: 'pipeline', deliveries: 1, enabled: true }];
  expect(await replay(rig, { kind: 'id', id: receipt?.id ?? '' })).toEqual(found);
  await until(() => expect(receiver.told().size).toBe(1));
});

test('a dead delivery can be discarded, and is gone for good', async () => {
  const rig = await notifyRig();
  const receiver = await startReceiver(() => 500);
  const notifier = await rig.start([endpointTo(receiver.origin)], { timing: { ...QUICK, scheduleMs: [0] } });
  await rig.record(paths(2));
  await until(() => expect(notifier.report()[0]?.dead).toBe(2));
  const inLedger = () => [...outboxOf(rig.store).outbox.deliveries('pipeline')];
  await until(() => expect(inLedger().map(({ state }) => state)).toEqual(['dead', 'dead']));
  const [first] = inLedger();
  expect(await replay(rig, { kind: 'discard', id: first?.id ?? '' })).toMatchObject([{ deliveries: 1 }]);
  expect(notifier.report()[0]?.dead).toBe(1);
  expect(await replay(rig, { kind: 'discard', id: null })).toMatchObject([{ deliveries: 1, enabled: false }]);
  expect(inLedger()).toEqual([]);
});

test('compaction drops nothing that is still to be told, and moves the places of what is kept', async () => {
  const rig = await notifyRig();
  let status: number | null = null;
  const receiver = await startReceiver(() => status);
  const endpoint = endpointTo(receiver.origin, { batch: { maxItems: 5, maxWait: 10 } });
  await rig.start([endpoint]);
  // Every path several times over: compaction leaves one of each, were it not for the endpoint.
  await rig.record(paths(20, 'a'));
  await rig.notifier().caughtUp();
  await rig.record(paths(20, 'a'), { gen: 1 });
  await rig.notifier().caughtUp();
  const acknowledged = new Map(receiver.arrived.map(({ id, text }) => [id, text]));
  status = 503;
  await rig.record(paths(20, 'a'), { gen: 2 });
  await rig.notifier().caughtUp();
  const open = [...outboxOf(rig.store).outbox.deliveries('pipeline')].map(({ id }) => id);
  expect(open.length).toBeGreaterThan(0);
  await rig.reopen();
  await rig.record(paths(20, 'a'), { gen: 3 });
  await rig.store.close();
  const { dropped } = await compactSource(placeOf(rig));
  // Generations 0 and 1 are told and superseded; 2 is under way, 3 is the latest.
  expect(dropped).toBe(40);
  await rig.reopen();

  status = null;
  await rig.start([endpoint]);
  await rig.notifier().caughtUp();
  await until(() => expect(receiver.told().size).toBe(80));
  const later = receiver.arrived.filter(({ id }) => !acknowledged.has(id));
  expect(later.map(({ id }) => id)).toEqual(expect.arrayContaining(open));
  expect(later.flatMap(({ body }) => receiptsIn(body).map(({ gen }) => gen)).sort()).toEqual([
    ...Array(20).fill(2),
    ...Array(20).fill(3),
  ]);

  // Replayed, what is left of the journal is told once more under the ids of before.
  const told = new Map(receiver.arrived.map(({ id, text }) => [id, text]));
  await replay(rig, { kind: 'since', atMs: 0 });
  await rig.notifier().caughtUp();
  for (const { id, text } of receiver.arrived) expect(told.get(id)).toBe(text);
});

test('a ledger that is built again knows how far the endpoints have come', async () => {
  const rig = await notifyRig();
  const receiver = await startReceiver();
  await rig.start([endpointTo(receiver.origin)]);
  await rig.record(paths(10));
  rig.endBatch('b1');
  await rig.notifier().caughtUp();
  await rig.reopen();
  await rig.record(paths(10, 'later'));
  await rig.store.close();
  await rebuildSource(placeOf(rig));
  await rig.reopen();
  await rig.start([endpointTo(receiver.origin)]);
  await rig.notifier().caughtUp();
  expect(receiver.arrived).toHaveLength(21);
});

test('without a running process a replay is kept for the next one', async () => {
  const rig = await notifyRig();
  const receiver = await startReceiver();
  const endpoint = endpointTo(receiver.origin);
  await rig.start([endpoint]);
  await rig.record(paths(4));
  await rig.notifier().caughtUp();
  await rig.reopen();
  await replayDeliveries(rig.store, tellingOf(rig.store, [endpoint]), { kind: 'since', atMs: 0 }, 'pipeline');
  await rig.start([endpoint]);
  await rig.notifier().caughtUp();
  expect(receiver.arrived).toHaveLength(8);
  expect(new Set(receiver.arrived.map(({ id }) => id)).size).toBe(4);
});
