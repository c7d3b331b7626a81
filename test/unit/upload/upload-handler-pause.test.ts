import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../src/domain/log.ts';
import type { Pause } from '../../../src/domain/pause-list.ts';
import { systemClock } from '../../../src/platform/waiting/clock.ts';
import { createSmallReads } from '../../../src/upload/body/small-reads.ts';
import { uploadHandler } from '../../../src/upload/job/upload-handler.ts';
import { retrySchema } from '../../../src/upload/options.ts';
import { loneRunner } from '../../support/lone-runner.ts';
import { jobFor } from '../../support/upload-job.ts';

const never = new AbortController().signal;
const since = '2026-11-22T01:02:03.000Z';

/** What becomes of a job of batch `b1`. Nothing may be sent: the destination of this traffic would throw. */
async function stepOf(paused: Pause) {
  const { runner: traffic } = loneRunner();
  onTestFinished(() => traffic.close());
  const handler = uploadHandler({
    root: '/nowhere',
    rootCheck: { present: async () => false },
    spool: '/nowhere',
    traffic,
    pauses: {
      of: ({ name }) => (paused.kind === 'source' && name === paused.name ? paused : null),
      ofBatch: (batch) => (paused.kind === 'batch' && batch === paused.name ? paused : null),
    },
    send: () => Promise.reject(new Error('not to be sent')),
    smallReads: createSmallReads(false, systemClock.monotonicMs),
    retry: retrySchema.parse(undefined),
    clock: systemClock,
    random: () => 0.5,
    log: silentLog,
  });
  const { jobId, job } = jobFor('a.txt', 'api');
  const upload = { jobId, job: { ...job, batch: 'b1' }, queuedAtMs: 0, stalledCount: 0 };
  return await handler(upload, never);
}

test('a job of a paused batch goes back for a while, untouched, and holds no permit', async () => {
  expect(await stepOf({ kind: 'batch', name: 'b1', since })).toEqual({ kind: 'give-back', delayMs: 15_000 });
});

test('a job of a paused source goes back', async () => {
  expect(await stepOf({ kind: 'source', name: 'inbox', since })).toEqual({
    kind: 'give-back',
    delayMs: 1_000,
  });
});

test('jobs of another batch and another source are not held by it', async () => {
  for (const kind of ['batch', 'source'] as const) {
    const step = await stepOf({ kind, name: 'another', since });
    // It is tried, with a destination that has nothing to send with.
    expect(step).toMatchObject({ kind: 'retry', job: { attemptLog: [{ code: 'internal' }] } });
  }
});
