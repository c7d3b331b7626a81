/**
 * A result that has come is never thrown away, however long Redis says nothing or refuses to write. Each test has a Redis of
 * its own and mostly waits for time to pass: they wait together.
 */
import { expect, test, vi } from 'vitest';
import { silentLog } from '../../../src/domain/log.ts';
import { openUploadQueue, type UploadQueue } from '../../../src/queue/upload-queue.ts';
import { openUploadWorker, type UploadWorker } from '../../../src/queue/upload-worker.ts';
import { inLine } from '../../support/queue-orders.ts';
import { startTestRedis, type TestRedis } from '../../support/redis-server.ts';
import { jobFor, uploadedOutcome } from '../../support/upload-job.ts';

/** Longer than a lock lasts (8 s) and than the time after which it is looked for (5 s). */
const SILENCE_MS = 15_000;
const IN_HAND = 28;

interface Rig {
  readonly redis: TestRedis;
  readonly queue: UploadQueue;
  /** How often each file was sent. */
  readonly sent: Map<string, number>;
  /** Every upload in hand gets its answer. */
  answer(): void;
  /** Resolves once so many results can be recorded. */
  finished(count: number): Promise<void>;
}

/** Workers, each with a connection of its own as in processes of their own; their uploads are answered together. */
async function withWorkers(body: (rig: Rig) => Promise<void>, count = 2): Promise<void> {
  const redis = await startTestRedis();
  const facts = () => ({
    connection: redis.connect(),
    prefix: 't',
    source: 'inbox',
    log: silentLog,
    now: Date.now,
  });
  const queue = openUploadQueue({ ...facts(), destination: 'dest' });
  const sent = new Map<string, number>();
  let waiting: (() => void)[] = [];
  let answered = false;
  const workers: UploadWorker[] = Array.from({ length: count }, () =>
    openUploadWorker({
      ...facts(),
      concurrency: IN_HAND / count,
      own: null,
      destination: 'dest',
      onFinished: () => undefined,
      async handler({ job }) {
        sent.set(job.path, (sent.get(job.path) ?? 0) + 1);
        if (!answered) await new Promise<void>((resolve) => void waiting.push(resolve));
        return { kind: 'settle', outcome: uploadedOutcome(job.path) };
      },
    }),
  );
  try {
    const jobs = Array.from({ length: IN_HAND }, (_, index) => jobFor(`file-${index}`));
    await queue.add(inLine(jobs));
    await vi.waitFor(() => expect(sent.size).toBe(IN_HAND));
    await body({
      redis,
      queue,
      sent,
      answer() {
        answered = true;
        for (const goOn of waiting) goOn();
        waiting = [];
      },
      finished: (count) => vi.waitFor(async () => expect((await queue.counts()).finished).toBe(count)),
    });
    expect(sent.size).toBe(IN_HAND);
    for (const [path, times] of sent) expect(times, path).toBe(1);
    const taken = await queue.takeFinished(10 * IN_HAND);
    expect(new Set(taken.map(({ outcome }) => outcome.path)).size).toBe(IN_HAND);
    expect(taken.every(({ outcome }) => outcome.status === 'uploaded')).toBe(true);
  } finally {
    await Promise.all(workers.map((worker) => worker.close(2_000)));
    await queue.close();
    await redis.close();
  }
}

const passed = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test.concurrent('a Redis that stands still for longer than a lock: nothing whose answer had come is sent again', async () => {
  await withWorkers(async ({ redis, answer, finished }) => {
    redis.freeze();
    // While it stands, and long before a lock runs out: the renewals look as they always do.
    answer();
    await passed(SILENCE_MS);
    redis.thaw();
    await finished(IN_HAND);
    // Whatever is still looked for as stalled has been found by now.
    await passed(SILENCE_MS);
    await finished(IN_HAND);
  });
});

test.concurrent('answers that come only after the locks have run out are not asked for again either', async () => {
  await withWorkers(async ({ redis, answer, finished }) => {
    redis.freeze();
    await passed(SILENCE_MS);
    answer();
    redis.thaw();
    await finished(IN_HAND);
    await passed(SILENCE_MS);
    await finished(IN_HAND);
  });
});

test.concurrent('clients that are paused for longer than a lock lose no result', async () => {
  await withWorkers(async ({ redis, answer, finished }) => {
    await redis.connect().call('CLIENT', 'PAUSE', String(SILENCE_MS), 'ALL');
    answer();
    await finished(IN_HAND);
    await passed(SILENCE_MS);
    await finished(IN_HAND);
  });
});

test.concurrent('a Redis that refuses to write for a while keeps the results waiting, and fails no file', async () => {
  await withWorkers(async ({ redis, answer, finished }) => {
    const admin = redis.connect();
    // As when its disk is full: it needs a replica that it has not got.
    await admin.config('SET', 'min-replicas-to-write', '1');
    answer();
    await passed(SILENCE_MS);
    await admin.config('SET', 'min-replicas-to-write', '0');
    await finished(IN_HAND);
    await passed(SILENCE_MS);
    await finished(IN_HAND);
  });
});

test.concurrent('a worker whose Redis loses its jobs while results are on their way has them when the files are queued again', async () => {
  await withWorkers(async ({ redis, queue, answer, finished }) => {
    await redis.connect().flushall();
    answer();
    await queue.add(inLine(Array.from({ length: IN_HAND }, (_, index) => jobFor(`file-${index}`))));
    await finished(IN_HAND);
  }, 1);
});
