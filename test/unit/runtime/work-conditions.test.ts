import { expect, test } from 'vitest';
import { workConditions } from '../../../src/runtime/worker/source-worker.ts';

function gateWithLog(): { gate: ReturnType<typeof workConditions>; calls: string[] } {
  const calls: string[] = [];
  const worker = {
    pause: async () => void calls.push('pause'),
    resume: async () => void calls.push('resume'),
  };
  return { gate: workConditions(worker, (reason) => void calls.push(reason)), calls };
}

test('a worker pauses with the first broken condition and resumes with the last one mended', () => {
  const { gate, calls } = gateWithLog();
  gate.set('destination', true);
  gate.set('destination', false);
  gate.set('recording', false);
  gate.set('destination', true);
  expect(calls).toEqual(['pause']);
  gate.set('recording', true);
  expect(calls).toEqual(['pause', 'resume']);
});

test('a pause that fails is told, never thrown', async () => {
  const told: string[] = [];
  const worker = { pause: () => Promise.reject(new Error('no Redis')), resume: async () => undefined };
  workConditions(worker, (reason) => void told.push(reason)).set('running', false);
  await expect.poll(() => told).toEqual(['no Redis']);
});
