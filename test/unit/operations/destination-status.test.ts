import { expect, test } from 'vitest';
import { destinationLines } from '../../../src/cli/screen/destination-lines.ts';
import { paintFor } from '../../../src/cli/screen/terminal.ts';
import type { DestinationReport, SourceReport } from '../../../src/domain/live-report.ts';
import { destinationStatuses } from '../../../src/operations/inspect/destination-status.ts';

const report: DestinationReport = {
  name: 'qwen',
  origin: 'https://api.example',
  health: 'running',
  failure: null,
  lastTrouble: null,
  limit: 8,
  inFlight: 4,
  waitingHere: 2,
  circuit: 'closed',
  probeAt: null,
  resumesAt: null,
  pausedSince: null,
  roundTripMs: 200,
  quotaPerSecond: 20,
  sentPerSecond: 6,
  throttledShare: 0,
};
const source: SourceReport = {
  name: 'inbox',
  path: '/in',
  destination: 'qwen',
  manifest: '/in.manifest.json',
  ...{ discovered: 100, uploaded: 10, failed: 3, skipped: 0, pending: 87, unsettled: 0, unreadable: 0 },
  ...{ waiting: 80, active: 4, delayed: 3, oldestWaiting: null, trouble: null, dead: 3, webhooks: [] },
};
const nobody = (): null => null;
const plain = paintFor(process.stdout, { NO_COLOR: '1' });

test('what several processes and sources tell of one destination is one entry', () => {
  const other = { ...report, inFlight: 2, limit: 6, roundTripMs: 400, sentPerSecond: 4, throttledShare: 0.5 };
  const elsewhere = { ...source, name: 'x', destination: 'other' };
  const statuses = destinationStatuses(
    [report, other],
    [source, { ...source, name: 'scans', waiting: 5, dead: 1, pending: 5 }, elsewhere],
    nobody,
  );
  expect(statuses).toHaveLength(1);
  expect(statuses[0]).toMatchObject({
    ...{ limit: 14, inFlight: 6, waiting: 85, delayed: 6, dead: 4, roundTripMs: 300, sentPerSecond: 10 },
    throttledShare: 0.2,
    quotaPerSecond: 20,
    // 92 files to go at 8 accepted a second.
    etaSeconds: 12,
  });
});

test('the worst of them is what it is, and a pause is shown though no process has taken it up yet', () => {
  const down = { ...report, health: 'down', circuit: 'open', failure: 'HTTP 503', probeAt: 'soon' } as const;
  const [status] = destinationStatuses([report, down], [], () => '2026-11-22T01:02:03.000Z');
  expect(status).toMatchObject({ health: 'down', circuit: 'open', pausedSince: '2026-11-22T01:02:03.000Z' });
});

test('a person reads limit, round trip, circuit, quota, throttling, counts and time left', () => {
  const [status] = destinationStatuses([{ ...report, throttledShare: 0.25 }], [source], nobody);
  if (status === undefined) throw new Error('no status');
  expect(destinationLines(status, plain)).toEqual([
    'destination qwen  https://api.example  running',
    '  4 in flight, limit 8, round trip 200ms, circuit closed',
    '  6.0 of 20/s sent, 25 % throttled',
    '  80 waiting, 3 to be tried again, 3 failed, ETA 20s',
  ]);
});

test('a person reads why nothing is sent, and until when', () => {
  const stopped = {
    ...report,
    health: 'stopped',
    failure: 'the account is full',
    probeAt: '2026-11-22T01:02:18.000Z',
    resumesAt: '2026-11-22T02:00:00.000Z',
    pausedSince: '2026-11-22T01:02:03.000Z',
  } as const;
  const [status] = destinationStatuses([stopped], [], nobody);
  if (status === undefined) throw new Error('no status');
  expect(destinationLines(status, plain).slice(0, 1)).toEqual([
    'destination qwen  https://api.example  paused',
  ]);
  expect(destinationLines(status, plain).slice(4)).toEqual([
    '  paused since 2026-11-22T01:02:03.000Z: slipway resume',
    '  asks to be left alone until 2026-11-22T02:00:00.000Z',
    '  the account is full',
    '  next try at 2026-11-22T01:02:18.000Z',
  ]);
});
