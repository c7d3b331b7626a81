import { expect, test } from 'vitest';
import type { UploadFailure } from '../../../src/domain/attempt.ts';
import {
  type Blocker,
  type DestinationBlocker,
  foremost,
  isStopped,
  limitUnder,
  mayTakeJobs,
} from '../../../src/domain/blocker.ts';
import { standingOf } from '../../../src/runtime/reports/destination-report.ts';

const failure: UploadFailure = {
  ...{ kind: 'unavailable', code: 'connection', message: 'refused' },
  ...{ httpStatus: null, retryAfterMs: null },
};
const at = { sinceMs: 1_000, untilMs: 61_000, message: 'm' };
const shut = { ...at, passes: 'none' as const };
const tried = { ...at, untilMs: null, passes: 'one' as const };

const ALL: Readonly<Record<string, DestinationBlocker>> = {
  down: { ...shut, reason: 'down', failure },
  'down, probed': { ...tried, reason: 'down', failure },
  stopped: { ...shut, reason: 'stopped', failure, inherited: false },
  'stopped before this run': { ...shut, reason: 'stopped', failure, inherited: true },
  'stopped, probed': { ...tried, reason: 'stopped', failure, inherited: false },
  'token away': { ...shut, reason: 'token-away', failure },
  'token away, probed': { ...tried, reason: 'token-away', failure },
  'retry-after': { ...shut, reason: 'retry-after' },
  unproven: { ...at, reason: 'unproven', passes: 'others' },
};

test.each([
  ['down', 0, false, false, { health: 'down', circuit: 'open' }],
  ['down, probed', 1, true, false, { health: 'probing', circuit: 'probing', probeAt: null }],
  ['stopped', 0, false, true, { health: 'stopped', circuit: 'closed', failure: 'm' }],
  ['stopped before this run', 0, false, false, { health: 'stopped', circuit: 'closed' }],
  ['stopped, probed', 1, true, false, { health: 'probing', circuit: 'closed' }],
  ['token away', 0, false, false, { health: 'down', circuit: 'open' }],
  ['token away, probed', 1, true, false, { health: 'probing', circuit: 'probing' }],
  ['retry-after', 0, false, false, { health: 'running', resumesAt: '1970-01-01T00:01:01.000Z' }],
  ['unproven', 8, true, false, { health: 'running', circuit: 'closed', failure: null }],
])('%s: limit %i of 8, takes jobs %s, stopped for --once %s', (name, limit, takes, stopped, standing) => {
  const blockers = [ALL[name]].filter((one) => one !== undefined);
  expect(limitUnder(blockers, 8)).toBe(limit);
  expect(mayTakeJobs(blockers)).toBe(takes);
  expect(isStopped(blockers)).toBe(stopped);
  expect(standingOf(blockers)).toMatchObject(standing);
});

test('of several the tightest holds, and the one is named that only the user can end', () => {
  const paused: Blocker = { ...shut, reason: 'paused' };
  const all: Blocker[] = [...Object.values(ALL), paused];
  expect(limitUnder(all, 8)).toBe(0);
  expect(foremost(all)?.reason).toBe('paused');
  expect(foremost(Object.values(ALL))?.reason).toBe('stopped');
  expect(foremost([])).toBeNull();
  // What is about some files only is in nobody else's way.
  expect(foremost(Object.values(ALL).filter(({ passes }) => passes === 'others'))).toBeNull();
});
