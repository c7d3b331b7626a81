import { expect, test } from 'vitest';
import type { ReadinessPlan } from '../../../src/destinations/definition/definition.ts';
import type { ReadinessLook } from '../../../src/destinations/readiness.ts';
import { openReadiness, type ReadinessPort } from '../../../src/destinations/readiness-port.ts';
import type { UploadedResult } from '../../../src/domain/attempt.ts';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { type AwaitReady, createAwaitReady } from '../../../src/upload/job/await-ready.ts';

const NOW = Date.parse('2026-11-22T12:00:00.000Z');
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const never = new AbortController().signal;

const plan: ReadinessPlan = {
  url: 'https://files.example/{id}',
  status: [],
  ready: ['processed'],
  failed: ['error'],
  intervalMs: SECOND,
  deadlineMs: 600 * SECOND,
  perSecond: 10,
};

const uploaded: UploadedResult = {
  kind: 'uploaded',
  accepted: {
    url: null,
    fileId: 'file-1',
    ref: 'fileid://file-1',
    expiresAt: null,
    remote: { id: 'file-1' },
  },
  bytes: 1,
  sha256: 'ab',
  contentType: 'text/plain',
  uploadedAt: new Date(NOW).toISOString(),
  durationMs: 3,
  requests: 1,
};

interface Rig {
  readonly wait: AwaitReady;
  readonly looks: string[];
  nowMs: number;
  /** What the next looks see; a thrown error is an unreachable far side. */
  seen: ReadinessLook | Error;
}

function rig(): Rig {
  const slots = openReadiness(plan, {
    headers: () => Promise.reject(new Error('unused')),
    whyNot: () => expect.fail('unused'),
    accepted() {},
  });
  if (slots === null) throw new Error('there is a plan');
  const self: { nowMs: number; seen: ReadinessLook | Error } = { nowMs: NOW, seen: 'pending' };
  const looks: string[] = [];
  const readiness: ReadinessPort = {
    ...slots,
    async poll(fileId) {
      looks.push(fileId);
      if (self.seen instanceof Error) throw self.seen;
      return self.seen;
    },
  };
  const wait = createAwaitReady({
    readiness,
    send: () => Promise.reject(new Error('unused')),
    clock: { nowMs: () => self.nowMs, monotonicMs: () => self.nowMs },
    outageMs: 24 * HOUR,
    outagePauseMs: 30 * SECOND,
  });
  return Object.assign(self, { wait, looks });
}

/** Waits as the queue would: up to the moment of the next look. */
async function lookInTime(self: Rig, jobId = 'a') {
  self.nowMs = Math.max(self.nowMs, self.wait.firstLook(jobId, uploaded));
  return await self.wait.look(jobId, uploaded, never);
}

test('a file that can be used settles as uploaded with what its upload was answered', async () => {
  const self = rig();
  self.seen = 'ready';
  expect(await lookInTime(self)).toEqual({
    kind: 'settle',
    jobEnd: { status: 'uploaded', result: uploaded },
  });
  expect(self.looks).toEqual(['file-1']);
  expect(self.nowMs - NOW).toBe(SECOND);
});

test('a file that the far side cannot process fails as refused, with its id', async () => {
  const self = rig();
  self.seen = 'failed';
  expect(await lookInTime(self)).toMatchObject({
    kind: 'settle',
    jobEnd: {
      status: 'failed',
      code: 'processing_failed',
      kind: 'rejected',
      message: expect.stringContaining('file-1'),
    },
  });
});

test('a file that is still processed is looked at again an interval later, until the deadline; then it failed as not ready', async () => {
  const self = rig();
  expect(await lookInTime(self)).toEqual({ kind: 'look-again', atMs: NOW + 2 * SECOND, failure: null });
  self.nowMs = NOW + 2 * SECOND;
  expect(await self.wait.look('a', uploaded, never)).toMatchObject({ atMs: NOW + 3 * SECOND });
  self.nowMs = NOW + plan.deadlineMs;
  expect(await self.wait.look('a', uploaded, never)).toMatchObject({
    kind: 'settle',
    jobEnd: {
      status: 'failed',
      code: 'not_ready',
      kind: 'unavailable',
      message: expect.stringMatching(/file-1.*10m.*still being processed/),
    },
  });
});

test('a far side out of reach is waited out beyond the deadline, and what is ready then is uploaded', async () => {
  const self = rig();
  self.seen = new SlipwayError('connection', { reason: 'ECONNREFUSED' });
  self.nowMs = NOW + 2 * HOUR;
  const step = await self.wait.look('a', uploaded, never);
  expect(step).toMatchObject({
    kind: 'look-again',
    atMs: NOW + 2 * HOUR + 30 * SECOND,
    failure: { code: 'connection' },
  });
  self.nowMs = NOW + 2 * HOUR + 30 * SECOND;
  self.seen = 'ready';
  expect(await self.wait.look('a', uploaded, never)).toMatchObject({ jobEnd: { status: 'uploaded' } });
});

test('an outage longer than any upload would be tried for ends with its reason', async () => {
  const self = rig();
  self.seen = new SlipwayError('connection', { reason: 'ECONNREFUSED' });
  self.nowMs = NOW + 24 * HOUR;
  expect(await self.wait.look('a', uploaded, never)).toMatchObject({
    jobEnd: { code: 'not_ready', message: expect.stringContaining('ECONNREFUSED') },
  });
});

test('a wait that is asked for is kept, beyond the deadline too; then the file fails with what was said last', async () => {
  const self = rig();
  const busy = { kind: 'throttled', code: 'throttled', message: 'HTTP 429', httpStatus: 429 } as const;
  self.seen = { ...busy, retryAfterMs: 90 * SECOND };
  expect(await lookInTime(self)).toMatchObject({ kind: 'look-again', atMs: self.nowMs + 90 * SECOND });
  self.nowMs = NOW + 25 * HOUR;
  expect(await self.wait.look('a', uploaded, never)).toMatchObject({
    jobEnd: { code: 'not_ready', message: expect.stringContaining('last look: HTTP 429') },
  });
});

test('a file that is not known there when the deadline comes has an end of its own', async () => {
  const self = rig();
  const gone = { kind: 'unavailable', code: 'file_unknown', message: 'HTTP 404: no such file' } as const;
  self.seen = { ...gone, httpStatus: 404, retryAfterMs: null };
  expect(await lookInTime(self)).toMatchObject({ kind: 'look-again' });
  self.nowMs = NOW + plan.deadlineMs;
  expect(await self.wait.look('a', uploaded, never)).toMatchObject({
    jobEnd: { code: 'file_unknown', message: expect.stringMatching(/file-1.*10m.*HTTP 404: no such file/) },
  });
});

test('without credentials no look is possible: the destination is to be stopped, the file keeps waiting', async () => {
  const self = rig();
  self.seen = new SlipwayError('token_missing', { where: 'KEY' });
  expect(await lookInTime(self)).toMatchObject({
    kind: 'stop-destination',
    failure: { code: 'token_missing' },
  });
});

test('a defect in a look is no word about the file', async () => {
  const self = rig();
  self.seen = new TypeError('broken');
  expect(await lookInTime(self)).toMatchObject({ kind: 'look-again', failure: { code: 'internal' } });
});

test('many that were waiting elsewhere, or for too long, do not look all at once', async () => {
  const self = rig();
  self.nowMs = NOW + 5 * SECOND;
  const steps = [];
  // The first 20 fit within what is waited for in hand; the clock of this test stands still meanwhile.
  for (let index = 0; index < 40; index += 1)
    steps.push(self.wait.look(`job-${index}`, uploaded, AbortSignal.abort()));
  const kinds = (await Promise.all(steps)).map((step) => step.kind);
  expect(kinds.filter((kind) => kind === 'look-again')).toHaveLength(19);
  expect(self.looks).toHaveLength(0);
});

test('a look whose signal fires gives the job back', async () => {
  const self = rig();
  const stop = new AbortController();
  self.nowMs = self.wait.firstLook('a', uploaded);
  stop.abort();
  expect(await self.wait.look('a', uploaded, stop.signal)).toEqual({ kind: 'give-back' });
});

test('an id with line breaks or without end does not reach a message as it is', async () => {
  const self = rig();
  self.seen = 'failed';
  const odd = { ...uploaded, accepted: { ...uploaded.accepted, fileId: `a\nb${'x'.repeat(5_000)}` } };
  const step = await self.wait.look('a', odd, never);
  if (step.kind !== 'settle' || step.jobEnd.status !== 'failed') throw new Error(step.kind);
  expect(step.jobEnd.message).toContain('(a bx');
  expect(step.jobEnd.message.length).toBeLessThan(400);
});

test('files that come long before their places are looked at in their places, however many come at once', async () => {
  const self = rig();
  const jobs = Array.from({ length: 100 }, (_, n) => `job-${n}`);
  const places = jobs.map((job) => self.wait.firstLook(job, uploaded));
  // As `resume` has them come: all of them, now.
  const steps = await Promise.all(jobs.map((job) => self.wait.look(job, uploaded, never)));
  // No more than the quota has for the next moments.
  expect(self.looks.length).toBeLessThanOrEqual(2 * plan.perSecond);
  const last = places.at(-1) ?? 0;
  expect(steps.at(-1)).toEqual({ kind: 'look-again', atMs: last, failure: null });
  const before = self.looks.length;
  self.nowMs = last;
  await self.wait.look('job-99', uploaded, never);
  expect(self.looks).toHaveLength(before + 1);
});
