import { describe, expect, test } from 'vitest';
import { createCircuit, probeDelayMs } from '../../../src/pacing/circuit.ts';
import { CIRCUIT } from '../../../src/pacing/pacing-constants.ts';

type Ended = Parameters<ReturnType<typeof createCircuit>['ended']>[0];

function ended(change: Partial<Ended> = {}): Ended {
  const { nowMs = 0, startedAtMs = nowMs } = change;
  const usual = { file: 'a', signal: 'down', othersInFlight: 0, roundTripMs: 100 } as const;
  return { ...usual, ...change, nowMs, startedAtMs };
}

function fails(circuit: ReturnType<typeof createCircuit>, times: number, change: Partial<Ended> = {}): void {
  for (let n = 0; n < times; n += 1) circuit.ended(ended({ file: `file-${n}`, ...change }));
}

test('it opens with the sixth failure in a row, not before', () => {
  const circuit = createCircuit();
  fails(circuit, 5);
  expect(circuit.state(0)).toBe('closed');
  fails(circuit, 1);
  expect(circuit.state(0)).toBe('open');
});

test('a success in between begins the row anew', () => {
  const circuit = createCircuit();
  fails(circuit, 5);
  circuit.ended(ended({ signal: 'up' }));
  fails(circuit, 4);
  expect(circuit.state(0)).toBe('closed');
});

test('failures with a long quiet between them are no row; slow ones, one after the other, are', () => {
  const circuit = createCircuit();
  const hours = 3_600_000;
  for (let n = 0; n < 20; n += 1) circuit.ended(ended({ nowMs: n * hours, file: `file-${n}` }));
  expect(circuit.state(20 * hours)).toBe('closed');
  // Each takes a time-out of its own, longer than the window, and the next begins at once.
  const slow = createCircuit();
  for (let n = 1; n <= 6; n += 1) {
    slow.ended(ended({ nowMs: n * 60_000, startedAtMs: (n - 1) * 60_000 + 1_000, file: `file-${n}` }));
  }
  expect(slow.state(6 * 60_000)).toBe('open');
});

test('one file that fails for ever opens nothing', () => {
  const circuit = createCircuit();
  fails(circuit, 100, { file: 'poison' });
  expect(circuit.state(60_000)).toBe('closed');
});

test('what says nothing about the far side counts neither way', () => {
  const circuit = createCircuit();
  fails(circuit, 5);
  fails(circuit, 50, { signal: 'nothing' });
  expect(circuit.state(0)).toBe('closed');
  fails(circuit, 1);
  expect(circuit.state(0)).toBe('open');
});

describe('while uploads are under way a row of failures is only a suspicion', () => {
  test('a success of one of them clears it: the server was merely full', () => {
    const circuit = createCircuit();
    fails(circuit, 16, { othersInFlight: 48 });
    expect(circuit.state(10)).toBe('suspect');
    circuit.ended(ended({ nowMs: 12, signal: 'up', othersInFlight: 47 }));
    expect(circuit.state(13)).toBe('closed');
    expect(circuit.suspectUntilMs()).toBeNull();
  });

  test('the last of them failing confirms it', () => {
    const circuit = createCircuit();
    fails(circuit, 6, { othersInFlight: 3 });
    expect(circuit.state(0)).toBe('suspect');
    fails(circuit, 1, { othersInFlight: 0 });
    expect(circuit.state(0)).toBe('open');
  });

  test('two round trips without a success confirm it, within bounds', () => {
    for (const [roundTripMs, untilMs] of [
      [null, CIRCUIT.leastSuspicionMs],
      [1_000, 2_000],
      [60_000, CIRCUIT.mostSuspicionMs],
    ] as const) {
      const circuit = createCircuit();
      fails(circuit, 6, { othersInFlight: 3, roundTripMs });
      expect(circuit.state(untilMs - 1)).toBe('suspect');
      expect(circuit.state(untilMs)).toBe('open');
    }
  });
});

describe('half of what was tried lately', () => {
  test('opens it when that lasts', () => {
    const circuit = createCircuit();
    for (let n = 0; n < 12; n += 1) {
      circuit.ended(ended({ nowMs: n * 1_000, file: `file-${n}`, signal: n % 2 === 0 ? 'up' : 'down' }));
    }
    expect(circuit.state(12_000)).toBe('open');
  });

  test('does not when it was a burst that a full server refused', () => {
    const circuit = createCircuit();
    for (let n = 0; n < 40; n += 1) {
      circuit.ended(ended({ nowMs: n * 10, file: `file-${n}`, signal: n % 2 === 0 ? 'up' : 'down' }));
    }
    expect(circuit.state(400)).toBe('closed');
  });

  test('does not when one in five fails', () => {
    const circuit = createCircuit();
    for (let n = 0; n < 2_000; n += 1) {
      circuit.ended(ended({ nowMs: n * 100, file: `file-${n}`, signal: n % 5 === 0 ? 'down' : 'up' }));
    }
    expect(circuit.state(200_000)).toBe('closed');
  });
});

test('closed again it knows nothing of before', () => {
  const circuit = createCircuit();
  fails(circuit, 6);
  circuit.close();
  fails(circuit, 5);
  expect(circuit.state(0)).toBe('closed');
});

test('a minute of outage takes at most 40 probes, and its end is noticed within three seconds and a bit', () => {
  let atMs = 0;
  let longestMs = 0;
  let probes = 0;
  for (; atMs < 60_000; probes += 1) {
    const delayMs = probeDelayMs(probes, atMs, () => 0.999);
    longestMs = Math.max(longestMs, delayMs);
    atMs += delayMs;
  }
  expect(probes).toBeLessThanOrEqual(40);
  expect(longestMs).toBeLessThanOrEqual(3_300);
  expect(probeDelayMs(0, 0, () => 0)).toBe(500);
});

test('a long outage is probed every half minute', () => {
  expect(probeDelayMs(200, 10 * 60_000, () => 0)).toBe(15_000);
  expect(probeDelayMs(900, 24 * 3_600_000, () => 0)).toBe(30_000);
});
