import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { silentLog } from '../../../src/domain/log.ts';
import { createRetryAfterPause, type RetryAfterPause } from '../../../src/traffic/retry-after-pause.ts';
import { type SharedView, unsharedDestination } from '../../../src/traffic/shared-destination.ts';

const HOUR = 3_600_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A gate, what it writes into the record, and what the record tells it. */
function gateWith(): {
  gate: RetryAfterPause;
  written: number[];
  sees(view: Pick<SharedView, 'gateInMs'> & Partial<SharedView>): void;
} {
  const written: number[] = [];
  let heard: (view: SharedView) => void = () => undefined;
  const shared = {
    ...unsharedDestination(null, Date.now),
    shutGate: (ms: number) => void written.push(ms),
    onView(listener: (view: SharedView) => void) {
      heard = listener;
    },
  };
  const gate = createRetryAfterPause({
    ...{ destination: 'api', shared, onChange() {}, log: silentLog, now: Date.now },
  });
  const nothing = { suspension: null, probesHere: false, liftedAgoMs: null, learned: null };
  return { gate, written, sees: (view) => heard({ ...nothing, ...view }) };
}

test('a gate that Redis has lost is shut again for what is left of it', async () => {
  const { gate, written, sees } = gateWith();
  gate.asked(HOUR);
  sees({ gateInMs: HOUR });
  await vi.advanceTimersByTimeAsync(HOUR / 2);
  sees({ gateInMs: -5 });
  expect(gate.blocker()).toMatchObject({ reason: 'retry-after', passes: 'none' });
  expect(written).toEqual([HOUR, HOUR / 2]);
  // One that this process only heard of is known to it just as well.
  const other = gateWith();
  other.sees({ gateInMs: HOUR });
  other.sees({ gateInMs: 0 });
  expect(other.written).toEqual([HOUR]);
  await vi.advanceTimersByTimeAsync(HOUR);
  expect(other.gate.blocker()).toBeNull();
});

test('lifted by hand it opens; a lift from before it was shut says nothing', async () => {
  const { gate, written, sees } = gateWith();
  gate.asked(HOUR);
  await vi.advanceTimersByTimeAsync(10_000);
  sees({ gateInMs: -1, liftedAgoMs: 15_000 });
  expect(gate.blocker()).toMatchObject({ reason: 'retry-after', passes: 'none' });
  expect(written).toEqual([HOUR, HOUR - 10_000]);
  sees({ gateInMs: -1, liftedAgoMs: 400 });
  expect(gate.blocker()).toBeNull();
  // Shut anew: that lift is over.
  await vi.advanceTimersByTimeAsync(1_000);
  gate.asked(HOUR);
  await vi.advanceTimersByTimeAsync(1_000);
  sees({ gateInMs: -1, liftedAgoMs: 2_400 });
  expect(gate.blocker()).toMatchObject({ reason: 'retry-after', passes: 'none' });
});
