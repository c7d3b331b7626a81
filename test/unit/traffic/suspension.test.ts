import { expect, onTestFinished, test } from 'vitest';
import type { UploadFailure } from '../../../src/domain/attempt.ts';
import { isStopped } from '../../../src/domain/blocker.ts';
import { silentLog } from '../../../src/domain/log.ts';
import {
  type SharedSuspension,
  type SharedView,
  unsharedDestination,
} from '../../../src/traffic/shared-destination.ts';
import { createSuspension } from '../../../src/traffic/suspension.ts';

const FAILURE: UploadFailure = {
  kind: 'misconfigured',
  code: 'token_refused',
  message: 'refused',
  httpStatus: 401,
  retryAfterMs: null,
};

/** A process that joins others, and what it then reads in the record, look by look. */
function joined() {
  let see: (view: SharedView) => void = () => undefined;
  const shared = {
    ...unsharedDestination(null, Date.now),
    onView: (listener: typeof see) => (see = listener),
  };
  const standstill = createSuspension({
    ...{ destination: 'api', shared, stoppedTiming: { firstMs: 60_000, lastMs: 60_000 }, log: silentLog },
    ...{ onChange: () => undefined, now: () => 1_000_000, random: () => 0 },
  });
  onTestFinished(() => standstill.close());
  return {
    standstill,
    reads(found: Pick<SharedSuspension, 'kind' | 'sinceMs' | 'tries'> | null) {
      const there = found === null ? null : { ...found, failure: FAILURE, probeInMs: 60_000 };
      see({ suspension: there, probesHere: false, gateInMs: 0, liftedAgoMs: null, learned: null });
      return isStopped([standstill.blocker()].filter((one) => one !== null));
    },
  };
}

test('a stop that was there when the process came counts once a probe has failed', () => {
  const { reads } = joined();
  expect(reads({ kind: 'stopped', sinceMs: 5, tries: 3 })).toBe(false);
  expect(reads({ kind: 'stopped', sinceMs: 5, tries: 3 })).toBe(false);
  expect(reads({ kind: 'stopped', sinceMs: 5, tries: 4 })).toBe(true);
});

test('a stop that others find later is none of what was there when the process came', () => {
  const wasDown = joined();
  expect(wasDown.reads({ kind: 'down', sinceMs: 5, tries: 0 })).toBe(false);
  expect(wasDown.reads({ kind: 'stopped', sinceMs: 9, tries: 0 })).toBe(true);

  // `resume`, and the same finding again, between two looks.
  const wasStopped = joined();
  expect(wasStopped.reads({ kind: 'stopped', sinceMs: 5, tries: 0 })).toBe(false);
  expect(wasStopped.reads({ kind: 'stopped', sinceMs: 9, tries: 0 })).toBe(true);
});
