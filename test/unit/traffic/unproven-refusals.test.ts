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

test('a success proves the destination: held refusals and all later ones stand', async () => {
  const hold = createUnprovenRefusals(() => 100, Date.now);
  const held = Array.from({ length: 5 }, () => hold.rule('rejected:415', never));
  hold.succeeded();
  expect(await Promise.all(held)).toEqual(Array(5).fill('stands'));
  for (let n = 0; n < 30; n += 1) expect(await hold.rule('rejected:415', never, true)).toBe('stands');
});

test('a refusal that every file gets from some moment on is the destination’s, whatever was before', async () => {
  const hold = createUnprovenRefusals(() => 100, Date.now);
  hold.succeeded();
  const held = Array.from({ length: REFUSALS_TO_STOP - 1 }, () => hold.rule('rejected:400', never));
  expect(hold.held()).toBe(REFUSALS_TO_STOP - 1);
  expect(await hold.rule('rejected:400', never)).toBe('destination-wrong');
  expect(await Promise.all(held)).toEqual(Array(REFUSALS_TO_STOP - 1).fill('destination-wrong'));
});

test('a success between them begins the row anew: the files before it are refused for themselves', async () => {
  const hold = createUnprovenRefusals(() => 100, Date.now);
  for (let round = 0; round < 5; round += 1) {
    const held = Array.from({ length: REFUSALS_TO_STOP - 1 }, () => hold.rule('rejected:400', never));
    hold.succeeded();
    expect(await Promise.all(held)).toEqual(Array(REFUSALS_TO_STOP - 1).fill('stands'));
  }
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

test('different refusals speak of the files, so the earlier ones stand and the count starts again', async () => {
  const hold = createUnprovenRefusals(() => 100, Date.now);
  const first = Array.from({ length: 19 }, () => hold.rule('a', never));
  const other = hold.rule('b', never);
  expect(await Promise.all(first)).toEqual(Array(19).fill('stands'));
  expect(hold.held()).toBe(1);
  hold.succeeded();
  expect(await other).toBe('stands');
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
