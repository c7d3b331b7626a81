import { expect, test } from 'vitest';
import type { Arrival } from '../../../src/domain/lane.ts';
import { createAdmissionLanes } from '../../../src/intake/admit/admission-lanes.ts';

/** An admission whose flushes end when the test says so. */
function rig() {
  const offered = new Set<Arrival>();
  const flushes: { readonly arrival: Arrival; readonly end: (error?: Error) => void }[] = [];
  let woken = 0;
  const lines = createAdmissionLanes(
    {
      waits: (arrival) => offered.has(arrival),
      async flush(arrival) {
        offered.delete(arrival);
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        flushes.push({ arrival, end: (error) => (error === undefined ? resolve() : reject(error)) });
        await promise;
      },
    },
    () => {
      woken += 1;
    },
  );
  return { offered, flushes, lines, woken: () => woken };
}

const signal = new AbortController().signal;

test('what was found may wait for long, and live files go by meanwhile, one flush of a kind at a time', async () => {
  const { offered, flushes, lines, woken } = rig();
  offered.add('backlog');
  lines.start(signal);
  expect([lines.busy('backlog'), lines.busy('live')]).toEqual([true, false]);
  for (let round = 1; round <= 2; round += 1) {
    offered.add('live').add('backlog');
    lines.start(signal);
    lines.start(signal);
    flushes.at(-1)?.end();
    await expect.poll(() => lines.busy('live')).toBe(false);
    expect(woken()).toBe(round);
  }
  expect(flushes.map(({ arrival }) => arrival)).toEqual(['backlog', 'live', 'live']);
  let idle = false;
  const ended = lines.idle().then(() => {
    idle = true;
  });
  await Promise.resolve();
  expect(idle).toBe(false);
  flushes[0]?.end();
  await ended;
  lines.start(signal);
  expect(flushes.map(({ arrival }) => arrival)).toEqual(['backlog', 'live', 'live', 'backlog']);
});

test('what goes wrong is thrown at the next start, once, and whoever waits is told, also at the end', async () => {
  const { offered, flushes, lines } = rig();
  offered.add('live');
  lines.start(signal);
  flushes[0]?.end(new Error('no disk'));
  expect(await lines.idle()).toBe(false);
  expect(() => lines.start(signal)).toThrow('no disk');
  lines.start(signal);
  expect(await lines.idle()).toBe(true);
  const stop = new AbortController();
  offered.add('backlog');
  lines.start(stop.signal);
  stop.abort();
  flushes[1]?.end(new Error('aborted'));
  // Nothing of it is in the queue: no folder is to be called quiet now.
  expect(await lines.idle()).toBe(false);
  expect(flushes).toHaveLength(2);
});
