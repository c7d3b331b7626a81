/** Lists in Redis are read whole: three times the page that the library, or we, read at once, and while jobs move. */
import { Queue } from 'bullmq';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLog } from '../../../src/domain/log.ts';
import { promoteDelayed } from '../../../src/queue/promote-delayed.ts';
import { findQueued } from '../../../src/queue/queued-jobs.ts';
import { openUploadQueue, type UploadQueue } from '../../../src/queue/upload-queue.ts';
import { openUploadWorker } from '../../../src/queue/upload-worker.ts';
import { writeProcessRecord } from '../../../src/redis/coordination/process-records.ts';
import { queueName } from '../../../src/redis/queue-key.ts';
import { readReports } from '../../../src/runtime/reports/process-reports.ts';
import { ahead, inLine } from '../../support/queue-orders.ts';
import { startTestRedis, type TestRedis } from '../../support/redis-server.ts';
import { jobFor, uploadedOutcome } from '../../support/upload-job.ts';

/** `findQueued` reads so many jobs at once; BullMQ's ranges are two ids long unless told otherwise. */
const PAGE = 500;
/** Jobs that went ahead of the line are looked at in pages of so many. */
const AHEAD_PAGE = 150;
/** BullMQ promotes, and SCAN returns, about so many at once. */
const LIBRARY_PAGE = 1_000;

let redis: TestRedis;
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.close());

const facts = (prefix: string) => ({
  ...{ connection: redis.connect(), prefix, source: 'inbox', log: silentLog, now: Date.now },
});

async function withQueue(prefix: string, body: (queue: UploadQueue) => Promise<void>): Promise<void> {
  const queue = openUploadQueue({ ...facts(prefix), destination: 'dest' });
  await body(queue).finally(() => queue.close());
}

const jobsNamed = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => jobFor(`${name}-${index}`));
const idsOf = (jobs: readonly { readonly jobId: string }[]) => jobs.map(({ jobId }) => jobId).sort();

/** Puts jobs where BullMQ keeps those of a state. */
async function moveTo(
  prefix: string,
  state: 'active' | 'delayed' | 'completed' | 'failed',
  jobIds: readonly string[],
): Promise<void> {
  const queue = new Queue(queueName('inbox'), { connection: redis.connect(), prefix });
  const connection = redis.connect();
  const pipeline = connection.pipeline();
  for (const [index, jobId] of jobIds.entries()) {
    pipeline.lrem(queue.toKey('wait'), 1, jobId);
    if (state === 'active') pipeline.lpush(queue.toKey('active'), jobId);
    else pipeline.zadd(queue.toKey(state), (Date.now() + 3_600_000) * 4096 + index, jobId);
  }
  await pipeline.exec();
  await queue.close();
}

test('every job id is read, of every state, and each file is found in whatever place it stands', async () => {
  await withQueue('states', async (queue) => {
    const states = ['wait', 'active', 'delayed', 'completed', 'failed'] as const;
    const jobs = states.map((state) => jobsNamed(state, (3 * PAGE) / states.length));
    await queue.add(inLine(jobs.flat()));
    for (const [index, state] of states.entries())
      if (state !== 'wait') await moveTo('states', state, idsOf(jobs[index] ?? []));
    expect([...(await queue.jobs()).keys()].sort()).toEqual(idsOf(jobs.flat()));
    for (const [index, state] of ['waiting', 'active', 'delayed', 'finished', 'finished'].entries())
      for (const job of [jobs[index]?.at(0), jobs[index]?.at(150), jobs[index]?.at(-1)]) {
        const found = await findQueued(facts('states'), { path: job?.job.path ?? '' });
        expect(found).toMatchObject([{ jobId: job?.jobId, state }]);
      }
  });
});

test('while jobs go from list to list none is missed and none is read twice', async () => {
  await withQueue('moving', async (queue) => {
    const jobs = jobsNamed('moving', 3 * PAGE);
    await queue.add(inLine(jobs));
    const retried = new Set<string>();
    const worker = openUploadWorker({
      ...facts('moving'),
      concurrency: 24,
      own: null,
      destination: 'dest',
      onFinished: () => undefined,
      async handler({ jobId, job }) {
        if (retried.has(jobId) || Math.random() < 0.5)
          return { kind: 'settle', outcome: uploadedOutcome(job.path) };
        retried.add(jobId);
        return { kind: 'retry', delayMs: 5, job };
      },
    });
    let looks = 0;
    for (let finished = 0; finished < jobs.length; looks += 1) {
      expect([...(await queue.jobs()).keys()].sort()).toEqual(idsOf(jobs));
      ({ finished } = await queue.counts());
    }
    expect(looks).toBeGreaterThan(5);
    await worker.close(5_000);
  });
});

test('the oldest that waits is found behind all that went ahead of it', async () => {
  await withQueue('oldest', async (queue) => {
    expect(await queue.oldestWaiting()).toBeNull();
    const before = Date.now();
    await queue.add(inLine(jobsNamed('line', 3)));
    const oldest = Date.now();
    while (Date.now() === oldest);
    await queue.add(ahead(jobsNamed('ahead', 3 * AHEAD_PAGE)));
    const found = Date.parse((await queue.oldestWaiting()) ?? '');
    expect(found).toBeGreaterThanOrEqual(before);
    expect(found).toBeLessThanOrEqual(oldest);
  });
});

test('all that is delayed is tried at once on resume', async () => {
  await withQueue('promoted', async (queue) => {
    const jobs = jobsNamed('later', 3 * LIBRARY_PAGE);
    await queue.add(inLine(jobs));
    await moveTo('promoted', 'delayed', idsOf(jobs));
    expect(await queue.counts()).toMatchObject({ waiting: 0, delayed: jobs.length });
    await promoteDelayed(redis.connect(), 'promoted', 'inbox');
    expect(await queue.counts()).toMatchObject({ waiting: jobs.length, delayed: 0 });
  });
});

test('the reports of all processes are read, each once', async () => {
  const connection = redis.connect();
  for (let pid = 0; pid < 3 * LIBRARY_PAGE; pid += 1)
    await writeProcessRecord(connection, 'many', `host:${pid}`, JSON.stringify({ v: 1, pid }));
  const pids = (await readReports(connection, 'many', 600_000)).map((report) => report.pid);
  expect(pids.sort((a, b) => a - b)).toEqual(Array.from({ length: 3 * LIBRARY_PAGE }, (_, pid) => pid));
});
