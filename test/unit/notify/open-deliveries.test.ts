import { expect, test } from 'vitest';
import type { Delivery } from '../../../src/domain/delivery.ts';
import { OpenDeliveries } from '../../../src/notify/endpoint/open-deliveries.ts';

function delivery(seq: number, change: Partial<Delivery> = {}): Delivery {
  return {
    ...{ seq, id: `msg_${seq}`, content: { kind: 'batch', batch: 'b' }, events: 1, eventAtMs: 0 },
    ...{ attempts: 0, dueAtMs: 0, state: 'open', last: null },
    ...change,
  };
}

function takeAll(open: OpenDeliveries, nowMs: number): number[] {
  const taken: number[] = [];
  for (let one = open.take(nowMs); one !== null; one = open.take(nowMs)) taken.push(one.seq);
  return taken;
}

test('what has been due for longest is taken first, what was never tried in the order it was made', () => {
  const open = new OpenDeliveries(100);
  open.load([
    delivery(1, { attempts: 2, dueAtMs: 300 }),
    delivery(2, { dueAtMs: 100 }),
    delivery(3, { attempts: 1, dueAtMs: 50 }),
    delivery(4, { dueAtMs: 100 }),
    delivery(5, { attempts: 1, dueAtMs: 10_000 }),
    delivery(6, { state: 'dead', attempts: 10 }),
  ]);
  expect(takeAll(open, 400)).toEqual([3, 2, 4, 1]);
  expect(open.inHand()).toBe(4);
  expect(open.dueAtMs()).toBe(10_000);
  expect(takeAll(open, 10_000)).toEqual([5]);
  expect(open.dueAtMs()).toBeNull();
});

test('a delivery in hand is not taken twice, also when all of them are read again', () => {
  const open = new OpenDeliveries(100);
  open.load([delivery(1), delivery(2)]);
  expect(open.take(0)?.seq).toBe(1);
  open.load([delivery(1), delivery(2)]);
  expect(takeAll(open, 0)).toEqual([2]);
  open.giveBack(delivery(1, { dueAtMs: 5 }));
  expect(takeAll(open, 4)).toEqual([]);
  expect(takeAll(open, 5)).toEqual([1]);
});

test('what has ended counts as it ended, although the ledger does not know it yet', () => {
  const open = new OpenDeliveries(100);
  const stored = [delivery(1), delivery(2), delivery(3)];
  open.load(stored);
  takeAll(open, 0);
  open.end(1, null);
  open.end(2, delivery(2, { attempts: 1, dueAtMs: 60_000 }));
  open.end(3, delivery(3, { attempts: 10, state: 'dead' }));
  expect(open.hasUnwritten()).toBe(true);
  open.load(stored);
  expect(takeAll(open, 60_000)).toEqual([2]);
  expect([...open.values()].map(({ seq }) => seq)).toEqual([2]);
});

test('what does not fit stays in the ledger until half of the room is free, and comes before what is new', () => {
  const open = new OpenDeliveries(4);
  const stored = Array.from({ length: 6 }, (_, index) => delivery(index + 1));
  open.load(stored);
  expect([open.room(1_000), open.isFull(), open.wantsMore()]).toEqual([0, true, false]);
  takeAll(open, 0);
  for (const seq of [1, 2]) open.end(seq, null);
  expect(open.wantsMore()).toBe(false);
  open.end(3, null);
  expect(open.wantsMore()).toBe(true);
  open.load(stored);
  expect(takeAll(open, 0)).toEqual([5, 6]);
  expect([open.room(1_000), open.isFull()]).toEqual([1, false]);
});

test('of those never tried there are only so many; those that wait for a retry take room too', () => {
  const open = new OpenDeliveries(10);
  open.load([delivery(1), delivery(2), delivery(3, { attempts: 1, dueAtMs: 99 })]);
  expect(open.room(5)).toBe(3);
  expect(open.room(100)).toBe(7);
});

test('soon is: in hand, never tried, or due again within ten seconds', () => {
  const open = new OpenDeliveries(10);
  open.load([delivery(1, { attempts: 1, dueAtMs: 10_001 })]);
  expect(open.hasSoon(0)).toBe(false);
  expect(open.hasSoon(1)).toBe(true);
  open.add(delivery(2));
  expect(open.hasSoon(0)).toBe(true);
});
