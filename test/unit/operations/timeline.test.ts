import { expect, test } from 'vitest';
import type { AttemptEntry } from '../../../src/domain/attempt-entry.ts';
import type { Receipt } from '../../../src/domain/receipt.ts';
import { jobSight } from '../../../src/domain/sight.ts';
import { eventsOfJob, eventsOfReceipt } from '../../../src/operations/inspect/timeline.ts';
import type { TraceEvent } from '../../../src/operations/inspect/trace-event.ts';
import { outcomeOfFailedJob } from '../../../src/queue/codec.ts';
import type { QueuedFile } from '../../../src/queue/queued-jobs.ts';
import { receiptOf } from '../../support/record-rig.ts';
import { jobFor, uploadedOutcome } from '../../support/upload-job.ts';

const QUEUED = Date.parse('2026-11-22T01:02:04.000Z');
const at = (ms: number): string => new Date(QUEUED + ms).toISOString();

function entry(ms: number, httpStatus: number, more: Partial<AttemptEntry> = {}): AttemptEntry {
  const code = `http_${httpStatus}`;
  return { at: at(ms), code, kind: 'unavailable', httpStatus, counted: true, ...more };
}

function receiptWith(change: Partial<Receipt>): Receipt {
  return { ...receiptOf(uploadedOutcome('a.pdf')), recordedAt: at(1_500), ...change };
}

const told = (events: readonly TraceEvent[]): (string | null)[][] =>
  events.map(({ at: time, event, detail }) => [time, event, detail]);

test('a receipt tells the whole way of a file, in the order of time', () => {
  const throttled = entry(400, 429, { kind: 'throttled', counted: false, attempted: false });
  const attemptLog = [entry(200, 500), throttled];
  const events = eventsOfReceipt(receiptWith({ seenMs: 2_003, settledMs: 3, attempts: 2, attemptLog }));
  expect(told(events)).toEqual([
    [at(-2_003), 'seen', 'this version of it'],
    [at(-3), 'settled', 'unchanged for long enough, 2s later'],
    [at(0), 'queued', 'for dest, 10 bytes'],
    [at(200), 'attempt', 'HTTP 500 http_500 (unavailable)'],
    [at(400), 'attempt', 'HTTP 429 http_429 (throttled)'],
    [at(1_000), 'uploaded', 'to dest, 2 attempts: https://files.example/a.pdf'],
    [at(1_500), 'recorded', 'uploaded'],
  ]);
});

test('what was whole when it was found was settled at first sight', () => {
  expect(told(eventsOfReceipt(receiptWith({ seenMs: 7 }))).slice(0, 2)).toEqual([
    [at(-7), 'seen', 'this version of it'],
    [at(-7), 'settled', 'at first sight'],
  ]);
});

test('a receipt of an earlier version, or with times nobody can read, tells what it can', () => {
  const earlier = eventsOfReceipt(receiptWith({ attempts: 3 }));
  expect(earlier.map(({ event }) => event)).toEqual(['queued', 'uploaded', 'recorded']);
  const garbled = eventsOfReceipt(receiptWith({ queuedAt: 'some day', seenMs: 5 }));
  expect(told(garbled).slice(0, 2)).toEqual([
    [null, 'seen', 'this version of it'],
    [null, 'settled', 'at first sight'],
  ]);
});

test('tries that the log had no room for are counted', () => {
  const attemptLog = Array.from({ length: 16 }, (_, index) => entry(index, 500));
  const events = eventsOfReceipt(receiptWith({ attempts: 20, attemptLog }));
  const attempts = events.filter(({ event }) => event === 'attempt');
  expect(attempts).toHaveLength(17);
  expect(attempts[0]).toMatchObject({ at: null, detail: '3 more, not kept one by one' });
});

test('a job that waits for its next try tells the same, and when that is', () => {
  const { job, jobId } = jobFor('a.pdf');
  const sight = jobSight({ seenAtMs: QUEUED - 900, settledAtMs: QUEUED - 100 });
  const queued: QueuedFile = {
    jobId,
    state: 'delayed',
    job: {
      ...{ ...job, ...sight },
      attemptLog: [entry(200, 503)],
      dropped: { counted: 0, attempted: 4 },
    },
    queuedAtMs: QUEUED,
    dueAtMs: QUEUED + 5_000,
  };
  expect(told(eventsOfJob(queued, 'dest'))).toEqual([
    [at(-900), 'seen', 'this version of it'],
    [at(-100), 'settled', 'unchanged for long enough, 800ms later'],
    [at(0), 'queued', '10 bytes, delayed now'],
    [null, 'attempt', '4 more, not kept one by one'],
    [at(200), 'attempt', 'HTTP 503 http_503 (unavailable)'],
    [at(5_000), 'due', 'next try'],
  ]);
  const { seenAtMs: _, settledAtMs: __, ...unseen } = queued.job;
  expect(eventsOfJob({ ...queued, job: unseen }, 'other')[0]).toMatchObject({
    event: 'queued',
    detail: '10 bytes, delayed now, for another destination than now',
  });
});

test('a job that BullMQ failed by itself loses nothing of its history', () => {
  const { job } = jobFor('a.pdf');
  const seen = { ...job, ...jobSight({ seenAtMs: QUEUED - 50, settledAtMs: QUEUED - 50 }) };
  const attemptLog = [entry(200, 500)];
  const facts = {
    id: null,
    destination: 'dest',
    reason: 'a defect',
    queuedAtMs: QUEUED,
    nowMs: QUEUED + 900,
  };
  const outcome = outcomeOfFailedJob({ ...seen, attemptLog }, facts);
  expect(outcome).toMatchObject({ status: 'failed', attempts: 1, seenMs: 50, attemptLog });
  expect(outcomeOfFailedJob(job, facts)).not.toHaveProperty('attemptLog');
});
