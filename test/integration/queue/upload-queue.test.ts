import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Log, silentLog } from '../../../src/domain/log.ts';
import type { UploadHandler } from '../../../src/domain/upload-step.ts';
import { ownIdentity } from '../../../src/platform/process/process-identity.ts';
import { openUploadQueue, type UploadQueue } from '../../../src/queue/upload-queue.ts';
import { openUploadWorker, type UploadWorker } from '../../../src/queue/upload-worker.ts';
import { takeOwnership } from '../../../src/redis/coordination/owner-lease.ts';
import { ahead, inLine } from '../../support/queue-orders.ts';
import { startTestRedis, type TestRedis } from '../../support/redis-server.ts';
import { jobFor, uploadedOutcome } from '../../support/upload-job.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.close());

let serial = 0;
/** A queue under a prefix of its own; the worker's handler is the test's. */
async function withQueue(
  body: (tools: {
    queue: UploadQueue;
    prefix: string;
    work: (handler: UploadHandler, log?: Log, concurrency?: number) => UploadWorker;
  }) => Promise<void>,
): Promise<void> {
  serial += 1;
  const prefix = `t${process.pid}-${serial}`;
  const connection = redis.connect();
  const facts = { connection, prefix, source: 'in box:{1}', log: silentLog, now: Date.now };
  const queue = openUploadQueue({ ...facts, destination: 'dest' });
  const workers: UploadWorker[] = [];
  try {
    await body({
      queue,
      prefix,
      work: (handler, log = silentLog, concurrency = 4) => {
        const worker = openUploadWorker({
          ...facts,
          log,
          concurrency,
          handler,
          own: null,
          destination: 'dest',
          onFinished: () => undefined,
        });
        workers.push(worker);
        return worker;
      },
    });
  } finally {
    await Promise.all(workers.map((worker) => worker.close(5_000)));
    await queue.close();
  }
}

const settle: UploadHandler = async ({ job }) => ({ kind: 'settle', outcome: uploadedOutcome(job.path) });
const finishedOf = (queue: UploadQueue, count: number): Promise<void> =>
  vi.waitFor(async () => expect((await queue.counts()).finished).toBe(count), {
    timeout: 10_000,
    interval: 20,
  });

test('finished jobs stay until they are removed, and leave no key behind', async () => {
  await withQueue(async ({ queue, prefix, work }) => {
    const jobs = ['a', 'b', 'c'].map((path) => jobFor(path));
    await queue.add(inLine(jobs));
    work(settle);
    await finishedOf(queue, 3);
    const taken = await queue.takeFinished(10);
    expect(taken.map(({ outcome }) => outcome.path).sort()).toEqual(['a', 'b', 'c']);
    expect((await queue.takeFinished(2)).length).toBe(2);
    await queue.removeFinished(taken.map(({ jobId }) => jobId));
    expect(await queue.takeFinished(10)).toEqual([]);
    const keys = await redis.connect().keys(`${prefix}:*`);
    for (const { jobId } of jobs) expect(keys.filter((key) => key.includes(jobId))).toEqual([]);
  });
});

test('adding a taken id again is a no-op while the job waits and while it is finished', async () => {
  await withQueue(async ({ queue, work }) => {
    const job = jobFor('once');
    await queue.add(inLine([job, job]));
    expect(await queue.counts()).toMatchObject({ waiting: 1 });
    let runs = 0;
    work(async (upload, signal) => {
      runs += 1;
      return settle(upload, signal);
    });
    await finishedOf(queue, 1);
    await queue.add(inLine([job]));
    expect(await queue.counts()).toEqual({ waiting: 0, active: 0, delayed: 0, finished: 1, carriers: 0 });
    expect(runs).toBe(1);
  });
});

test('a retry keeps its changed job data and costs no BullMQ attempt', async () => {
  await withQueue(async ({ queue, work }) => {
    const entry = {
      at: '2026-11-22T00:00:00.000Z',
      code: 'unavailable',
      kind: 'unavailable',
      httpStatus: 500,
      counted: true,
    } as const;
    await queue.add(inLine([jobFor('again')]));
    const logs: number[] = [];
    work(async (upload, signal) => {
      logs.push(upload.job.attemptLog.length);
      if (logs.length > 2) return settle(upload, signal);
      return {
        kind: 'retry',
        delayMs: 5,
        job: { ...upload.job, attemptLog: [...upload.job.attemptLog, entry] },
      };
    });
    await finishedOf(queue, 1);
    expect(logs).toEqual([0, 1, 2]);
    const [finished] = await queue.takeFinished(1);
    expect(finished?.outcome.status).toBe('uploaded');
  });
});

test('jobs that go ahead are taken first, in their order, and what is tried again is before all that waits in line', async () => {
  await withQueue(async ({ queue, work }) => {
    const names = (of: string) => ['0', '1', '2'].map((index) => `${of} ${index}`);
    await queue.add(inLine(names('old').map((path) => jobFor(path))));
    await queue.add(ahead(names('new').map((path) => jobFor(path))));
    const first: string[] = [];
    const taken: string[] = [];
    const tried = new Set<string>();
    const asked = Promise.withResolvers<void>();
    work(
      async (upload, signal) => {
        const { path } = upload.job;
        taken.push(path);
        if (upload.first === true) first.push(path);
        if (path.startsWith('old')) await asked.promise;
        if (path === 'new 2') asked.resolve();
        if (path.startsWith('old') || tried.has(path)) return await settle(upload, signal);
        tried.add(path);
        return { kind: 'retry', delayMs: 20, job: upload.job };
      },
      silentLog,
      1,
    );
    await finishedOf(queue, 6);
    expect(first.slice(0, 3)).toEqual(names('new'));
    expect(first).toHaveLength(6);
    expect(taken.filter((path) => path.startsWith('old'))).toEqual(names('old'));
  });
});

test('a live job whose worker is gone before its next try comes back by itself', async () => {
  await withQueue(async ({ queue, work }) => {
    const { jobId, job } = jobFor('new');
    await queue.add(ahead([{ jobId, job: { ...job, live: true } }]));
    const first = work(async ({ job: tried }) => ({ kind: 'retry', delayMs: 300, job: tried }));
    await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ delayed: 1 }), 10_000);
    await first.close(5_000);
    work(settle);
    await finishedOf(queue, 1);
  });
});

test('an abort reaches every job in hand and gives them back to wait', async () => {
  await withQueue(async ({ queue, work }) => {
    await queue.add(inLine(['x', 'y'].map((path) => jobFor(path))));
    const worker = work(
      (_upload, signal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ kind: 'give-back', delayMs: 0 }));
        }),
    );
    await vi.waitFor(() => expect(worker.active()).toBe(2), { timeout: 10_000 });
    await worker.pause();
    worker.abort('shutdown');
    await vi.waitFor(async () =>
      expect(await queue.counts()).toEqual({ waiting: 2, active: 0, delayed: 0, finished: 0, carriers: 0 }),
    );
    expect(worker.active()).toBe(0);
  });
});

test('a handler that throws ends as a failed outcome that says why, never silently', async () => {
  await withQueue(async ({ queue, work }) => {
    const { id } = jobFor('defect');
    await queue.add(inLine([jobFor('defect')]));
    work(async () => {
      throw new Error('a defect of ours');
    });
    await finishedOf(queue, 1);
    const [finished] = await queue.takeFinished(1);
    expect(finished?.outcome).toMatchObject({ id, gen: 0, status: 'failed', error: { code: 'internal' } });
    expect(finished?.outcome.error?.message).toContain('a defect of ours');
  });
});

test('a finished job that cannot be read holds up no other, and is recorded as failed where its data says what it was', async () => {
  await withQueue(async ({ queue, prefix, work }) => {
    await queue.add(inLine(['fine', 'bad-result', 'bad-data'].map((path) => jobFor(path))));
    work(settle);
    await finishedOf(queue, 3);
    const connection = redis.connect();
    const keyOf = async (path: string): Promise<string> =>
      (await connection.keys(`${prefix}:*:${jobFor(path).jobId}`))[0] ?? '';
    await connection.hset(await keyOf('bad-result'), 'returnvalue', '{"v":9}');
    await connection.hset(await keyOf('bad-data'), 'returnvalue', 'null', 'data', 'null');
    const taken = await queue.takeFinished(10);
    const statuses = taken.map(({ outcome }) => [outcome.path, outcome.status]).sort();
    expect(statuses).toEqual([
      ['bad-result', 'failed'],
      ['fine', 'uploaded'],
    ]);
    expect((await queue.counts()).finished).toBe(2);
  });
});

test('every job id is known whatever its state', async () => {
  await withQueue(async ({ queue, work }) => {
    await queue.add(inLine([jobFor('late')]));
    const worker = work(async ({ job }) => ({ kind: 'retry', delayMs: 60_000, job }));
    await vi.waitFor(async () => expect((await queue.counts()).delayed).toBe(1), 15_000);
    await worker.pause();
    await queue.add(inLine([jobFor('waits')]));
    expect([...(await queue.jobs()).keys()].sort()).toEqual(
      [jobFor('late').jobId, jobFor('waits').jobId].sort(),
    );
  });
});

test('a result whose lock was lost is published from its own key instead of being uploaded again', async () => {
  await withQueue(async ({ queue, prefix, work }) => {
    await queue.add(inLine([jobFor('lost-lock')]));
    const connection = redis.connect();
    const { jobId } = jobFor('lost-lock');
    let uploads = 0;
    const refused = Promise.withResolvers<void>();
    const log: Log = {
      ...silentLog,
      debug: ({ reason }) => {
        if (String(reason).startsWith('could not renew lock')) refused.resolve();
      },
    };
    work(async (upload, signal) => {
      uploads += 1;
      // The lock goes to nobody, as after a long stop: every renewal from now on fails.
      const [lock] = await connection.keys(`${prefix}:*${jobId}:lock`);
      await connection.del(lock ?? '');
      await refused.promise;
      return settle(upload, signal);
    }, log);
    await vi.waitFor(async () => expect((await queue.counts()).finished).toBe(1), {
      timeout: 40_000,
      interval: 100,
    });
    expect(uploads).toBe(1);
  });
});

test('a worker that has lost the lock does not overwrite what another has learnt about the file since', async () => {
  await withQueue(async ({ queue, prefix, work }) => {
    const { jobId, job } = jobFor('stopped-too-long');
    await queue.add(inLine([{ jobId, job }]));
    const connection = redis.connect();
    const left = Promise.withResolvers<void>();
    const log: Log = {
      ...silentLog,
      debug: (_fields, message) => {
        if (message.startsWith('a job is left as it lies')) left.resolve();
      },
    };
    const keyOf = async (end: string): Promise<string> =>
      (await connection.keys(`${prefix}:*${jobId}${end}`))[0] ?? '';
    const worker = work(async (upload) => {
      // Another worker has the job by now and has had it accepted.
      await connection.set(await keyOf(':lock'), 'of another worker');
      await connection.hset(await keyOf(''), 'data', JSON.stringify({ ...job, remoteId: 'accepted' }));
      return { kind: 'retry', delayMs: 5, job: upload.job };
    }, log);
    await left.promise;
    await worker.pause();
    expect(JSON.parse((await connection.hget(await keyOf(''), 'data')) ?? '{}')).toMatchObject({
      remoteId: 'accepted',
    });
    expect(await queue.counts()).toEqual({ waiting: 0, active: 1, delayed: 0, finished: 0, carriers: 0 });
  });
});

test('a job handed out again during its upload is not sent twice by one worker, and its result is published', async () => {
  await withQueue(async ({ queue, prefix, work }) => {
    const { jobId, job } = jobFor('long-stop');
    await queue.add(inLine([{ jobId, job }]));
    const connection = redis.connect();
    let uploads = 0;
    work(async (upload, signal) => {
      uploads += 1;
      const [lock] = await connection.keys(`${prefix}:*${jobId}:lock`);
      await connection.del(lock ?? '');
      const key = lock?.replace(/:lock$/, '') ?? '';
      await vi.waitFor(async () => expect(Number(await connection.hget(key, 'ats'))).toBe(2), {
        timeout: 90_000,
        interval: 50,
      });
      return settle(upload, signal);
    });
    await vi.waitFor(async () => expect((await queue.counts()).finished).toBe(1), {
      timeout: 90_000,
      interval: 100,
    });
    expect(uploads).toBe(1);
  });
}, 200_000);

test('closing a worker whose Redis is gone ends within its time', async () => {
  const own = await startTestRedis();
  const connection = own.connect();
  const worker = openUploadWorker({
    connection,
    prefix: 'gone',
    source: 's',
    concurrency: 1,
    handler: settle,
    own: null,
    destination: 'dest',
    onFinished: () => undefined,
    log: silentLog,
    now: Date.now,
  });
  await connection.ping();
  await own.kill();
  let closed = false;
  await Promise.race([
    worker.close(300).then(() => {
      closed = true;
    }),
    new Promise((resolve) => setTimeout(resolve, 30_000)),
  ]);
  expect(closed).toBe(true);
  await own.close();
});

test('a live owner is refused, a dead one on this host is replaced at once', async () => {
  const connection = redis.connect();
  const ledger = { id: 'ours', dataDir: '/ours' };
  const facts = { connection, prefix: 'lease', source: 's', ledger, onLost: () => undefined, log: silentLog };
  const me = { ...ownIdentity(), host: 'h' };
  const lease = await takeOwnership({ ...facts, owner: me });
  await expect(takeOwnership({ ...facts, owner: { ...me, host: 'other' } })).rejects.toMatchObject({
    code: 'source_owned',
  });
  await lease.release();
  // Pid 2^22 is above every pid_max: nobody has it.
  await takeOwnership({ ...facts, owner: { host: 'h', pid: 4_194_304, startTime: '1' } });
  const again = await takeOwnership({ ...facts, owner: me });
  expect(JSON.parse((await connection.get('lease:{s}:slipway:owner')) ?? '{}')).toMatchObject({
    ...{ ...me, ledgerId: 'ours' },
  });
  await again.release();
});

test('a lease of a version that named no ledger belongs to its process: refused alive, replaced dead', async () => {
  const connection = redis.connect();
  const facts = { connection, prefix: 'lease', source: 'o', onLost: () => undefined, log: silentLog };
  const me = { ...ownIdentity(), host: 'h' };
  const ours = { ...facts, owner: me, ledger: { id: 'ours', dataDir: '/ours' } };
  const lease = 'lease:{o}:slipway:owner';
  await connection.set(lease, JSON.stringify({ ...me, host: 'other' }));
  await expect(takeOwnership(ours)).rejects.toMatchObject({ code: 'source_owned' });
  await connection.set(lease, JSON.stringify({ host: 'h', pid: 4_194_304, startTime: '1' }));
  await (await takeOwnership(ours)).release();
  expect(await connection.hget('lease:{o}:slipway:ledger', 'id')).toBe('ours');
});

test('another ledger is refused: under a live owner, a dead one, and none, until its user frees the queue', async () => {
  const connection = redis.connect();
  const facts = { connection, prefix: 'lease', source: 'f', onLost: () => undefined, log: silentLog };
  const me = { ...ownIdentity(), host: 'h' };
  const gone = { host: 'h', pid: 4_194_304, startTime: '1' };
  const ledger = { id: 'theirs', dataDir: '/their/data' };
  const ours = { ...facts, owner: me, ledger: { id: 'ours', dataDir: '/our/data' } };
  const [key, lease] = ['lease:{f}:slipway:ledger', 'lease:{f}:slipway:owner'];
  const refusal = {
    code: 'queue_foreign',
    details: { source: 'f', host: 'h', dataDir: '/their/data', key, lease },
    message: expect.stringContaining(`redis-cli DEL "${key}" "${lease}"`),
  };

  const theirs = await takeOwnership({ ...facts, owner: me, ledger });
  await expect(takeOwnership(ours)).rejects.toMatchObject(refusal);
  await theirs.release();
  await expect(takeOwnership(ours)).rejects.toMatchObject(refusal);
  await takeOwnership({ ...facts, owner: gone, ledger });
  await expect(takeOwnership(ours)).rejects.toMatchObject(refusal);
  // What the lease itself names counts as well.
  await connection.del(key);
  await expect(takeOwnership(ours)).rejects.toMatchObject({ code: 'queue_foreign' });
  expect(JSON.parse((await connection.get(lease)) ?? '')).toEqual({ ...gone, ledgerId: 'theirs' });

  await connection.del(key, lease);
  const freed = await takeOwnership(ours);
  expect(await connection.hgetall(key)).toEqual({ id: 'ours', host: 'h', dataDir: '/our/data' });
  await expect(takeOwnership({ ...facts, owner: gone, ledger })).rejects.toMatchObject({
    details: { dataDir: '/our/data' },
  });
  await freed.release();
});

test('an owner takes lease and ledger again when Redis has lost them, and knows when another ledger has the queue', async () => {
  const connection = redis.connect();
  const onLost = vi.fn();
  const [key, lease] = ['lease:{r}:slipway:ledger', 'lease:{r}:slipway:owner'];
  const owned = await takeOwnership({
    ...{ connection, prefix: 'lease', source: 'r', onLost, log: silentLog },
    ...{ owner: { ...ownIdentity(), host: 'h' }, ledger: { id: 'ours', dataDir: '/our/data' } },
  });
  await connection.del(key, lease);
  const patient = { timeout: 15_000, interval: 50 };
  await vi.waitFor(async () => expect(await connection.exists(lease)).toBe(1), patient);
  expect(await connection.hget(key, 'id')).toBe('ours');
  expect(onLost).not.toHaveBeenCalled();
  // As after a flush in which another one was faster.
  await connection.hset(key, 'id', 'theirs');
  await vi.waitFor(() => expect(onLost).toHaveBeenCalledOnce(), patient);
  await owned.release();
  expect(await connection.hget(key, 'id')).toBe('theirs');
}, 40_000);
