import { expect, test } from 'vitest';
import type { UploadFailure } from '../../../src/domain/attempt.ts';
import type { DestinationBlocker } from '../../../src/domain/blocker.ts';
import { type WorkConditions, workConditions } from '../../../src/runtime/worker/source-worker.ts';

function conditions(): { gate: WorkConditions; calls: string[] } {
  const calls: string[] = [];
  const worker = {
    pause: async () => void calls.push('pause'),
    resume: async () => void calls.push('resume'),
  };
  return { gate: workConditions(worker, (reason) => void calls.push(reason), Date.now), calls };
}

const failure: UploadFailure = {
  ...{ kind: 'unavailable', code: 'connection', message: 'm', httpStatus: null },
  retryAfterMs: null,
};
const down = (passes: 'none' | 'one'): DestinationBlocker => ({
  ...{ reason: 'down', sinceMs: 1, untilMs: null, message: 'm', failure, passes },
});

test('a worker pauses with the first blocker and resumes with the last one gone', () => {
  const { gate, calls } = conditions();
  gate.destination([]);
  gate.destination([down('none')]);
  gate.hold('recording', true);
  gate.destination([]);
  expect(calls).toEqual(['pause']);
  gate.hold('recording', false);
  expect(calls).toEqual(['pause', 'resume']);
});

test('what one upload at a time gets past, and what is about some files only, takes jobs', () => {
  const { gate, calls } = conditions();
  gate.destination([down('one')]);
  gate.destination([{ reason: 'unproven', sinceMs: 1, untilMs: null, message: 'm', passes: 'others' }]);
  expect(calls).toEqual([]);
});

test('a pause that fails is told, never thrown', async () => {
  const told: string[] = [];
  const worker = { pause: () => Promise.reject(new Error('no Redis')), resume: async () => undefined };
  const gate = workConditions(worker, (reason) => void told.push(reason), Date.now);
  gate.hold('shutdown', true);
  await expect.poll(() => told).toEqual(['no Redis']);
});
