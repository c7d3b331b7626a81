import { expect, test } from 'vitest';
import type { AttemptResult, UploadFailure } from '../../../src/domain/attempt.ts';
import { attemptSignals } from '../../../src/pacing/attempt-signals.ts';
import { failure } from '../../support/upload-fixture.ts';

function failed(facts: Partial<UploadFailure>): AttemptResult {
  return { kind: 'failed', failure: failure(facts), requests: 1 };
}

test.each([
  ['a 429', { kind: 'throttled', httpStatus: 429 }],
  ['a quota in a body with HTTP 200', { kind: 'throttled', code: 'throttled', httpStatus: 200 }],
  ['a 502 of a gateway', { kind: 'unavailable', httpStatus: 502 }],
  ['a 503', { kind: 'unavailable', httpStatus: 503 }],
  ['a 504', { kind: 'unavailable', httpStatus: 504 }],
  ['a 529', { kind: 'unavailable', httpStatus: 529 }],
  ['a time-out', { kind: 'unavailable', code: 'timeout' }],
  ['a connection refused or reset', { kind: 'unavailable', code: 'connection' }],
] as const)('%s slows the destination down', (_what, facts) => {
  expect(attemptSignals(failed(facts)).capacity).toBe('backpressure');
});

test.each([
  ['a 500, which may be one file’s doing', { kind: 'unavailable', httpStatus: 500 }],
  ['an error code in a body with HTTP 200', { kind: 'unavailable', httpStatus: 200 }],
  ['a token service that is down', { kind: 'unavailable', code: 'token_service_unreachable' }],
  ['a disk that cannot be read', { kind: 'unavailable', code: 'read_failed' }],
  ['an answer nobody knows', { kind: 'unavailable', code: 'bad_answer', httpStatus: 200 }],
  ['a refused token', { kind: 'unauthenticated', httpStatus: 401 }],
  ['a refused file', { kind: 'rejected', httpStatus: 415 }],
  ['an empty account', { kind: 'exhausted', httpStatus: 429 }],
] as const)('%s does not', (_what, facts) => {
  expect(attemptSignals(failed(facts)).capacity).toBe('neutral');
});

test('an accepted file speaks for the destination, and one that was not sent says nothing', () => {
  const accepted = { url: null, fileId: '1', ref: null, expiresAt: null, remote: {} };
  const facts = { bytes: 1, sha256: 'ab', contentType: 'text/plain', uploadedAt: 'now', durationMs: 3 };
  expect(attemptSignals({ kind: 'uploaded', accepted, ...facts, requests: 1 }).capacity).toBe('ok');
  expect(attemptSignals({ kind: 'skipped', code: 'empty', message: 'm', requests: 0 }).capacity).toBe(
    'neutral',
  );
  expect(attemptSignals({ kind: 'aborted' }).capacity).toBe('neutral');
});

test.each([
  ['timeout', 'unavailable', null, 'down'],
  ['connection', 'unavailable', null, 'down'],
  ['unavailable', 'unavailable', 500, 'down'],
  ['unavailable', 'unavailable', 503, 'down'],
  ['unavailable', 'unavailable', 501, 'nothing'],
  ['unavailable', 'unavailable', 408, 'nothing'],
  ['bad_answer', 'unavailable', 200, 'down'],
  ['bad_answer', 'unavailable', null, 'down'],
  ['answer_too_large', 'unavailable', null, 'down'],
  ['unavailable', 'unavailable', 403, 'down'],
  ['unavailable', 'unavailable', 200, 'down'],
  ['unavailable', 'unavailable', 409, 'nothing'],
  ['parts_expired', 'unavailable', 503, 'nothing'],
  ['read_failed', 'unavailable', null, 'nothing'],
  ['token_service_unreachable', 'unavailable', null, 'nothing'],
  ['token_refused', 'misconfigured', 401, 'nothing'],
  ['throttled', 'throttled', 429, 'up'],
  ['rejected', 'rejected', 400, 'up'],
  ['misconfigured', 'misconfigured', 404, 'up'],
] as const)('%s (%s, HTTP %s) says %s to the circuit', (code, kind, httpStatus, signal) => {
  const failure = { kind, code, message: 'm', httpStatus, retryAfterMs: null };
  expect(attemptSignals({ kind: 'failed', failure, requests: 1 }).circuit).toBe(signal);
});
