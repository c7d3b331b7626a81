import { expect, test } from 'vitest';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { fileVersionId } from '../../../src/domain/file-version.ts';
import { newUploadJob } from '../../../src/domain/upload-job.ts';
import { failedBy } from '../../../src/upload/job/job-end.ts';
import { outcomeOf } from '../../../src/upload/job/outcome.ts';

const version = {
  source: 'inbox',
  destination: 'd',
  path: 'a/b.pdf',
  size: 10,
  mtimeNs: '1795309323004000001',
};
const job = newUploadJob(version, 2, 'batch-1');
const facts = {
  id: fileVersionId(version),
  destination: 'd',
  attempts: 3,
  attemptLog: [],
  queuedAtMs: Date.UTC(2026, 10, 22),
  nowMs: Date.UTC(2026, 10, 23),
};

test('an uploaded job becomes an outcome with everything the API said', () => {
  const accepted = {
    url: 'https://files.example/1',
    fileId: '1',
    ref: 'fileid://1',
    expiresAt: '2027-01-01T00:00:00.000Z',
    remote: { id: '1' },
  };
  const result = {
    kind: 'uploaded' as const,
    accepted,
    bytes: 11,
    sha256: 'ab',
    contentType: 'application/pdf',
    uploadedAt: '2026-11-22T23:59:59.000Z',
    durationMs: 12,
    requests: 1,
  };
  expect(outcomeOf(job, { status: 'uploaded', result }, facts)).toEqual({
    v: 1,
    id: fileVersionId(version),
    source: 'inbox',
    path: 'a/b.pdf',
    gen: 2,
    status: 'uploaded',
    destination: 'd',
    ...accepted,
    bytes: 11,
    sha256: 'ab',
    contentType: 'application/pdf',
    mtime: '2026-11-22T01:02:03.004Z',
    mtimeNs: '1795309323004000001',
    attempts: 3,
    queuedAt: '2026-11-22T00:00:00.000Z',
    uploadedAt: '2026-11-22T23:59:59.000Z',
    durationMs: 12,
    batch: 'batch-1',
    error: null,
  });
});

test('a failed job carries its reason and the size on disk, and nothing that was not received', () => {
  const jobEnd = failedBy(new SlipwayError('crashed_worker', { times: 3 }));
  expect(outcomeOf(job, jobEnd, facts)).toMatchObject({
    status: 'failed',
    url: null,
    sha256: null,
    bytes: 10,
    uploadedAt: null,
    remote: null,
    error: {
      code: 'crashed_worker',
      kind: 'local',
      message: 'the process that uploaded this file died 3 times while doing so',
      httpStatus: null,
      at: '2026-11-23T00:00:00.000Z',
    },
  });
});

test('a skipped job says why, and a name that is not UTF-8 keeps its bytes', () => {
  const odd = newUploadJob({ ...version, path: '\ufffd', pathBytes: '/w==' }, 0, null);
  const outcome = outcomeOf(odd, { status: 'skipped', code: 'changed', message: 'it grew' }, facts);
  expect(outcome).toMatchObject({ status: 'skipped', path: '\ufffd', pathBytes: '/w==' });
  expect(outcome.error).toMatchObject({ code: 'changed', kind: 'skipped', message: 'it grew' });
});

test('what went through at once says no more than when it was seen; failed tries are kept as they are', () => {
  const jobEnd = failedBy(new SlipwayError('crashed_worker', { times: 3 }));
  const { queuedAtMs } = facts;
  const seenAtMs = queuedAtMs - 3_000;
  const sights = [
    { seenAtMs, settledAtMs: queuedAtMs - 500 },
    { seenAtMs, settledAtMs: seenAtMs },
    // The clock was set back meanwhile.
    { seenAtMs: queuedAtMs + 9, settledAtMs: queuedAtMs + 10 },
  ];
  const kept = sights.map((sight) => {
    const { seenMs, settledMs, ...rest } = outcomeOf(
      newUploadJob(version, 0, null, { sight }),
      jobEnd,
      facts,
    );
    expect(rest).not.toHaveProperty('attemptLog');
    return [seenMs, settledMs];
  });
  expect(kept).toEqual([
    [3_000, 500],
    [3_000, undefined],
    [0, 0],
  ]);
  const attemptLog = [
    { at: 'then', code: 'http_500', kind: 'unavailable', httpStatus: 500, counted: true } as const,
  ];
  expect(outcomeOf(job, jobEnd, { ...facts, attemptLog })).toMatchObject({ attemptLog });
});

test.each([
  ['b.pdf', undefined],
  ['b%22.pdf', 'b%22.pdf'],
  ['_.pdf', '_.pdf'],
])('a receipt says what name was sent where it is not the file’s: %s', (sent, said) => {
  const accepted = { url: null, fileId: '1', ref: null, expiresAt: null, remote: {} };
  const result = {
    ...{ kind: 'uploaded' as const, accepted, bytes: 1, sha256: 'ab', contentType: 'x/y' },
    ...{ uploadedAt: '2026-11-22T23:59:59.000Z', durationMs: 1, requests: 1, sentName: sent },
  };
  expect(outcomeOf(job, { status: 'uploaded', result }, facts).sentName).toBe(said);
});
