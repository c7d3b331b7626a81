import { expect, test } from 'vitest';
import { newEndpoint } from '../../../src/domain/delivery.ts';
import { nextDeliveryBatch } from '../../../src/notify/outbox/delivery-batch.ts';
import { outboxOf } from '../../../src/notify/outbox/telling.ts';
import { endpointTo, notifyRig, paths } from '../../support/notify-rig.ts';

test.each([
  { room: 3, batch: null },
  { room: 5, batch: null },
  { room: 7, batch: null },
  { room: 1, batch: null },
  { room: 2, batch: { maxItems: 3, maxWait: 60_000 } },
])('the end of a batch is told behind its files, and waits for none that came after it (%j)', async (how) => {
  const rig = await notifyRig();
  await rig.record(paths(5, 'before'));
  rig.endBatch('b1');
  await rig.record(paths(60, 'after'));
  rig.endBatch('b2');
  const { outbox, ends } = outboxOf(rig.store);
  const endpoint = endpointTo('http://127.0.0.1:9/', { batch: how.batch });
  const mark = rig.store.ledger.mark();
  let state = newEndpoint(0, 0);
  const told: string[] = [];
  for (let looks = 0; looks < 200; looks += 1) {
    const cut = await nextDeliveryBatch({
      ...{ endpoint, state, outbox, ends, journal: rig.store.journal.path, mark },
      ...{ room: how.room, close: false, replayFirst: false, now: Date.now() },
    });
    if (cut === null) break;
    expect(cut.deliveries.length).toBeLessThanOrEqual(how.room);
    for (const { content, events } of cut.deliveries) {
      told.push(...(content.kind === 'batch' ? [content.batch] : Array(events).fill('file')));
    }
    state = { ...state, cursor: cut.cursor, batchSeq: cut.batchSeq };
  }
  expect(told.filter((what) => what === 'file')).toHaveLength(65);
  const at = told.indexOf('b1');
  expect(at).toBeGreaterThanOrEqual(5);
  // In the look that its last file was made out in, or as the first thing of the next one.
  expect(at).toBeLessThan(5 + how.room * (how.batch?.maxItems ?? 1));
  expect(told.at(-1)).toBe('b2');
  expect(told.filter((what) => what === 'b1' || what === 'b2')).toEqual(['b1', 'b2']);
});

test('the end of a batch that comes while a look reads the journal is left to the next look', async () => {
  const rig = await notifyRig();
  await rig.record(paths(3, 'first'));
  rig.endBatch('b1');
  const { outbox, ends } = outboxOf(rig.store);
  const mark = rig.store.ledger.mark();
  await rig.record(paths(2, 'second'));
  rig.endBatch('b2');
  // As the look sees it that began before the second part, and asks for the ends when it has read the lines.
  const begunBefore = { mark, ends: { ...ends, last: () => 1 } };
  const beganNow = { mark: rig.store.ledger.mark(), ends };
  let state = newEndpoint(0, 0);
  const told: string[] = [];
  for (const look of [begunBefore, beganNow]) {
    const cut = await nextDeliveryBatch({
      ...{ endpoint: endpointTo('http://127.0.0.1:9/'), state, outbox, journal: rig.store.journal.path },
      ...{ ...look, room: 100, close: false, replayFirst: false, now: Date.now() },
    });
    for (const { content } of cut?.deliveries ?? [])
      told.push(content.kind === 'batch' ? content.batch : 'file');
    state = { ...state, cursor: cut?.cursor ?? 0, batchSeq: cut?.batchSeq ?? 0 };
  }
  expect(told).toEqual(['file', 'file', 'file', 'b1', 'file', 'file', 'b2']);
});
