import { describe, expect, test } from 'vitest';
import { createRateWindow, ingestLine } from '../../../src/cli/screen/ingest-screen.ts';
import { ingestOutcome, outcomeLines, previewLines } from '../../../src/cli/work/ingest-outcome.ts';
import type { BatchEnd } from '../../../src/domain/batch.ts';
import { type BatchProgress, emptyTally } from '../../../src/domain/batch-progress.ts';

function progress(change: Partial<BatchProgress> = {}): BatchProgress {
  return {
    ...{ batch: 'b1', source: 'inbox', walked: true, members: 40_000, done: 10_000 },
    ...{ tally: emptyTally(), end: null, failure: null },
    ...change,
  };
}

function end(counts: Partial<BatchEnd['counts']>): BatchEnd {
  return {
    ...{ v: 1, batch: 'b1', source: 'inbox', destination: 'demo', manifest: '/m.json', manifestSha256: '00' },
    counts: { discovered: 0, uploaded: 0, failed: 0, skipped: 0, ...counts },
    startedAt: '2026-11-22T01:02:03.000Z',
    completedAt: '2026-11-22T01:02:09.000Z',
  };
}

describe('the progress line', () => {
  test('shows files, share, bytes, rate and the time left, whatever the number of files', () => {
    const view = { parts: [progress()], report: null, sentBytes: 5_000_000 };
    expect(ingestLine(view, 100, 200)).toBe(
      '[#####...............] 10000/40000 files · 25 % · 5 MB sent · 100.0 files/s · ETA 5m',
    );
  });

  test('says "at least", and no time, while files are still being found', () => {
    const view = { parts: [progress({ walked: false })], report: null, sentBytes: 0 };
    expect(ingestLine(view, 100, 200)).toBe('10000/≥ 40000 files · 100.0 files/s · still looking for files');
  });

  test('adds up the sources and fits the terminal', () => {
    const parts = [progress({ members: 10, done: 10 }), progress({ source: 'b', members: 30, done: 10 })];
    expect(ingestLine({ parts, report: null, sentBytes: 0 }, null, 200)).toBe(
      '[##########..........] 20/40 files · 50 %',
    );
    expect(ingestLine({ parts, report: null, sentBytes: 0 }, null, 30)).toHaveLength(29);
  });
});

test('the rate is that of the last half minute, so that it follows a change of pace', () => {
  const rate = createRateWindow();
  expect(rate.filesPerSecond()).toBeNull();
  for (let second = 0; second <= 60; second += 1) rate.add(second * 1_000, second * 10);
  expect(rate.filesPerSecond()).toBe(10);
  for (let second = 61; second <= 120; second += 1) rate.add(second * 1_000, 600 + (second - 60) * 2);
  expect(rate.filesPerSecond()).toBe(2);
});

describe('the outcome', () => {
  test('is 0 when all is uploaded or skipped, and counts every source', () => {
    const outcome = ingestOutcome(
      'b1',
      [
        progress({ members: 3, end: end({ discovered: 3, uploaded: 2, skipped: 1 }) }),
        progress({ source: 'b', members: 2, end: end({ discovered: 2, uploaded: 2 }) }),
      ],
      ['drained', 'drained'],
    );
    expect(outcome).toMatchObject({
      state: 'completed',
      counts: { discovered: 5, uploaded: 4, failed: 0, skipped: 1 },
      exitCode: 0,
    });
    expect(outcomeLines(outcome)[0]).toBe('batch b1 completed: 5 files, 4 uploaded, 0 failed, 1 skipped');
  });

  test.each([
    ['a failed file', progress({ end: end({ failed: 1 }) }), 'drained', 6],
    [
      'a missing file of a list',
      progress({ end: end({}), tally: { ...emptyTally(), unusable: 1 } }),
      'drained',
      6,
    ],
    [
      'a file never whole',
      progress({ end: end({}), tally: { ...emptyTally(), unsettled: 1 } }),
      'drained',
      5,
    ],
    [
      'an unreadable one',
      progress({ end: end({}), tally: { ...emptyTally(), unreadable: 1 } }),
      'incomplete',
      5,
    ],
    ['an outage', progress(), 'gave-up', 5],
    ['a stopped destination, before all else', progress({ end: end({ failed: 1 }) }), 'stopped', 7],
  ] as const)('%s', (_what, part, ended, exitCode) => {
    expect(ingestOutcome('b1', [part], [ended]).exitCode).toBe(exitCode);
  });
});

test('a preview says what would go, what not, and how long the quota makes it', () => {
  const tally = { ...emptyTally(), ignored: { hidden: 2, not_included: 1 }, unusable: 1 };
  tally.unusableLines.push({ path: 'gone\u001b', why: 'missing' });
  const counts = { files: 1000, bytes: 5_000_000, known: 7, skipped: { too_large: 3 }, seconds: 334 };
  const skippedPaths = { too_large: ['a.iso', 'b\u001b.iso'] };
  expect(previewLines([{ source: 'docs', destination: 'qwen', ...counts, skippedPaths, tally }])).toEqual([
    'docs → qwen: 1000 files, 5 MB would be sent',
    '  7 are recorded already and would not be sent again',
    '  3 would not be sent: too_large',
    '    a.iso',
    '    b\\x1b.iso',
    '    and 1 more',
    '  2 left alone: hidden',
    '  1 left alone: not included',
    '  1 lines of the list name no file that can be sent',
    '    gone\\x1b: missing',
    '  at least 5m 34s at the quota of qwen',
  ]);
});
