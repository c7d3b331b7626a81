import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createUnprovenRefusals, REFUSALS_TO_STOP } from '../../../src/traffic/unproven-refusals.ts';

const never = new AbortController().signal;
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('twenty equal refusals before any success condemn the destination and keep every job', async () => {
  const hold = createUnprovenRefusals(() => 100, Date.now);
  const rulings = Array.from({ length: REFUSALS_TO_STOP }, () => hold.rule('rejected:403', never));
  expect(await Promise.all(rulings)).toEqual(Array(REFUSALS_TO_STOP).fill('destination-wrong'));
  // The next one need not be tried twenty times again.
  expect(await hold.rule('rejected:403', never)).toBe('destination-wrong');
});

/** An upload that has begun just now was accepted. */
function accepted(hold: ReturnType<typeof createUnprovenRefusals>): void {
  vi.advanceTimersByTime(1);
  hold.succeeded(Date.now());
}

test('an upload accepted that began later proves the destination: held refusals and all later ones stand', async () => {
  const hold = createUnprovenRefusals(() => 100, Date.now);
  const held = Array.from({ length: 5 }, () => hold.rule('rejected:415', never));
  accepted(hold);
  expect(await Promise.all(held)).toEqual(Array(5).fill('stands'));
  for (let n = 0; n < 30; n += 1) expect(await hold.rule('rejected:415', never, true)).toBe('stands');
});

test('a refusal that every file gets from some moment on is the destination’s, whatever was before', async () => {
  const hold = createUnprovenRefusals(() => 100, Date.now);
  hold.succeeded(Date.now());
  const held = Array.from({ length: REFUSALS_TO_STOP - 1 }, () => hold.rule('rejected:400', never));
  expect(hold.held()).toBe(REFUSALS_TO_STOP - 1);
  expect(await hold.rule('rejected:400', never)).toBe('destination-wrong');
  expect(await Promise.all(held)).toEqual(Array(REFUSALS_TO_STOP - 1).fill('destination-wrong'));
});

test('a success between them begins the row anew: the files before it are refused for themselves', async () => {
  const hold = createUnprovenRefusals(() => 100, Date.now);
  for (let round = 0; round < 5; round += 1) {
    const held = Array.from({ length: REFUSALS_TO_STOP - 1 }, () => hold.rule('rejected:400', never));
    accepted(hold);
    expect(await Promise.all(held)).toEqual(Array(REFUSALS_TO_STOP - 1).fill('stands'));
  }
});

test('what was under way before a refusal proves nothing by being accepted: no file fails at a wall', async () => {
  let inHand = 100;
  const hold = createUnprovenRefusals(() => inHand - hold.held(), Date.now);
  const sentBefore = Date.now();
  const rulings: Promise<string>[] = [];
  // The server has changed its mind; what it took before that is answered between the refusals.
  for (let n = 0; n < 24; n += 1) {
    vi.advanceTimersByTime(5);
    rulings.push(hold.rule('rejected:400', never));
    if (n === 7 || n === 12) hold.succeeded(sentBefore);
  }
  expect(hold.held()).toBe(24);
  // Twenty-four equal ones, and no room for another file: not alone, but the destination's.
  inHand = 24;
  await vi.advanceTimersByTimeAsync(500);
  expect(new Set(await Promise.all(rulings))).toEqual(new Set(['destination-wrong']));
});

test('a file with a fault of its own does not hide the wall that all run into', async () => {
  const hold = createUnprovenRefusals(() => 100, Date.now);
  hold.succeeded(Date.now());
  const own = hold.rule('rejected:422', never);
  const wall = Array.from({ length: REFUSALS_TO_STOP }, () => hold.rule('rejected:400', never));
  expect(await Promise.all(wall)).toEqual(Array(REFUSALS_TO_STOP).fill('destination-wrong'));
  // It is tried again when the destination works.
  expect(await own).toBe('give-back');
});

test('where the destination is stopped meanwhile, whose fault a refusal was is not decided', async () => {
  const hold = createUnprovenRefusals(() => 0, Date.now);
  const ruling = hold.rule('rejected:400', never);
  hold.suspend();
  expect(await ruling).toBe('give-back');
});

test('an earlier refusal is proven by an upload that began after it, and by no other', () => {
  const hold = createUnprovenRefusals(() => 100, Date.now);
  expect(hold.provenWithin(60_000)).toBe(false);
  hold.succeeded(Date.now());
  vi.advanceTimersByTime(1_000);
  expect([hold.provenWithin(999), hold.provenWithin(1_001)]).toEqual([false, true]);
});

test('a single refused file is alone with it as soon as nothing else is left to try', async () => {
  let others = 1;
  const hold = createUnprovenRefusals(() => others, Date.now);
  const ruling = hold.rule('rejected:415', never);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(hold.held()).toBe(1);
  others = 0;
  await vi.advanceTimersByTimeAsync(500);
  expect(await ruling).toBe('alone');
});

test('the last file is not alone with a refusal that stood for others lately; after a wall of it, it is', async () => {
  const hold = createUnprovenRefusals(() => 0, Date.now);
  const earlier = hold.rule('exhausted:402', never);
  accepted(hold);
  expect(await earlier).toBe('stands');
  const rulingOnLast = async (code: string, afterMs: number): Promise<string> => {
    vi.advanceTimersByTime(afterMs);
    const ruling = hold.rule(code, never);
    await vi.advanceTimersByTimeAsync(500);
    return await ruling;
  };
  expect(await rulingOnLast('exhausted:402', 1_000)).toBe('stands');
  expect(await rulingOnLast('exhausted:429', 0)).toBe('alone');
  expect(await rulingOnLast('exhausted:402', 10 * 60_000)).toBe('alone');
  const again = hold.rule('exhausted:402', never);
  accepted(hold);
  await again;
  await Promise.all(Array.from({ length: REFUSALS_TO_STOP }, () => hold.rule('exhausted:402', never)));
  accepted(hold);
  expect(await rulingOnLast('exhausted:402', 0)).toBe('alone');
});

test('different refusals speak of the files, so they stand and the count starts again', async () => {
  const hold = createUnprovenRefusals(() => 100, Date.now);
  const first = Array.from({ length: 19 }, () => hold.rule('a', never));
  const others = Array.from({ length: 3 }, () => hold.rule('b', never));
  expect(await Promise.all([...first, ...others])).toEqual(Array(22).fill('stands'));
  const next = Array.from({ length: 19 }, () => hold.rule('a', never));
  expect(hold.held()).toBe(19);
  accepted(hold);
  expect(await Promise.all(next)).toEqual(Array(19).fill('stands'));
});

test('an abort, and closing, give the job back', async () => {
  const hold = createUnprovenRefusals(() => 100, Date.now);
  const gone = new AbortController();
  const aborted = hold.rule('a', gone.signal);
  gone.abort();
  expect(await aborted).toBe('give-back');
  const open = hold.rule('a', never);
  hold.close();
  expect(await open).toBe('give-back');
  expect(await hold.rule('a', never)).toBe('give-back');
});
