import { type Job, Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ADD_MANY_LUA } from '../../../src/queue/bullmq-layout/add-many-script.ts';
import { FINISH_AND_TAKE_LUA } from '../../../src/queue/bullmq-layout/finish-and-take-script.ts';
import { REMOVE_FINISHED_LUA } from '../../../src/queue/bullmq-layout/finished-scripts.ts';
import { redisScript } from '../../../src/redis/redis-script.ts';
import { startTestRedis, type TestRedis } from '../../support/redis-server.ts';

const addMany = redisScript(ADD_MANY_LUA);
const finishAndTake = redisScript(FINISH_AND_TAKE_LUA);
const removeFinished = redisScript(REMOVE_FINISHED_LUA);

let redis: TestRedis;
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.close());

const NOW = 1_795_309_323_000;
const LOCK_MS = 8_000;
const OPTIONS = { attempts: 1, stackTraceLimit: 1 };
const LISTS = ['wait', 'active', 'completed', 'stalled', 'meta', 'marker', 'delayed', 'failed'];

let serial = 0;

/** Two queues, one for BullMQ's own scripts and one for ours. */
async function withTwins(body: (bull: Twin, ours: Twin) => Promise<void>): Promise<void> {
  serial += 1;
  const twins = ['bull', 'ours'].map((kind) =>
    openTwin(redis.connect(), `t${process.pid}-${serial}-${kind}`),
  );
  const [bull, ours] = twins;
  if (bull === undefined || ours === undefined) throw new Error('no twins');
  try {
    await body(bull, ours);
  } finally {
    await Promise.all(twins.flatMap(({ queue, worker }) => [worker.close(), queue.close()]));
  }
}

type Twin = ReturnType<typeof openTwin>;

function openTwin(connection: Redis, prefix: string) {
  const queue = new Queue('{q}', { connection, prefix, defaultJobOptions: OPTIONS });
  // No processor: every step is the test's.
  const worker = new Worker('{q}', null, { connection, prefix, lockDuration: LOCK_MS, autorun: false });
  const keys = (...names: string[]): string[] => names.map((name) => queue.toKey(name));
  return {
    connection,
    queue,
    worker,
    add: (ids: readonly string[], push = 'LPUSH', options: object = OPTIONS) =>
      addMany(connection, keys('wait', 'meta', 'active', 'marker'), [
        queue.toKey(''),
        Date.now(),
        'upload',
        push,
        JSON.stringify(options),
        ...ids.flatMap((id) => [id, JSON.stringify({ n: id })]),
      ]),
    finish: (jobs: readonly (readonly [id: string, token: string, value: string, next: boolean])[]) =>
      finishAndTake(connection, keys(...LISTS), [
        queue.toKey(''),
        NOW,
        LOCK_MS,
        `${prefix}:done:`,
        60,
        ...jobs.flatMap(([id, token, value, next]) => [id, token, value, next ? '1' : '0']),
      ]) as Promise<unknown[]>,
    remove: (ids: readonly string[]) =>
      removeFinished(connection, keys('completed', 'failed'), [queue.toKey(''), ...ids]),
    async addByBull(ids: readonly string[], options: object = {}) {
      await queue.addBulk(
        ids.map((id) => ({ name: 'upload', data: { n: id }, opts: { jobId: id, ...options } })),
      );
    },
    /** Every key of the queue but those that ours leave out, times taken off. */
    async dump(): Promise<Record<string, unknown>> {
      const found = await connection.keys(`${prefix}:*`);
      const dump: Record<string, unknown> = {};
      for (const key of found.sort()) {
        const name = key.slice(queue.toKey('').length);
        // The event stream nobody reads, and the counter for ids of BullMQ's own making.
        if (name === 'events' || name === 'id') continue;
        dump[name] = await contentOf(connection, key);
      }
      return dump;
    },
  };
}

const TIMES = ['timestamp', 'processedOn', 'finishedOn'];

async function contentOf(connection: Redis, key: string): Promise<unknown> {
  switch (await connection.type(key)) {
    case 'string':
      return [await connection.get(key), (await connection.pttl(key)) > LOCK_MS / 2];
    case 'list':
      return await connection.lrange(key, 0, -1);
    case 'set':
      return (await connection.smembers(key)).sort();
    case 'zset':
      return await connection.zrange(key, '0', '-1');
    default: {
      const { opts, ...fields } = await connection.hgetall(key);
      for (const time of TIMES) if (fields[time] !== undefined) fields[time] = 'a time';
      // BullMQ keeps the id among the options as well; it is not read from there.
      const { jobId: _, ...options } = JSON.parse(opts ?? '{}');
      return { ...fields, ...(opts === undefined ? {} : { opts: options }) };
    }
  }
}

test('jobs lie in Redis as if BullMQ had added them, in line and ahead, taken ids as they were', async () => {
  await withTwins(async (bull, ours) => {
    await bull.addByBull(['f-1', 'f-2', 'f-3']);
    await bull.addByBull(['f-4', 'f-5'], { lifo: true });
    await bull.addByBull(['f-2', 'f-6']);
    expect(await ours.add(['f-1', 'f-2', 'f-3'])).toBe(3);
    expect(await ours.add(['f-4', 'f-5'], 'RPUSH', { ...OPTIONS, lifo: true })).toBe(2);
    expect(await ours.add(['f-2', 'f-6', 'f-6'])).toBe(1);
    const dump = await ours.dump();
    expect(dump).toEqual(await bull.dump());
    expect(dump.wait).toEqual(['f-6', 'f-3', 'f-2', 'f-1', 'f-4', 'f-5']);
  });
});

test('a queue that is paused is added to without waking anybody, as by BullMQ', async () => {
  await withTwins(async (bull, ours) => {
    for (const { queue } of [bull, ours]) await queue.pause();
    await bull.addByBull(['f-1']);
    await ours.add(['f-1']);
    expect(await ours.dump()).toEqual(await bull.dump());
  });
});

test('finished and taken jobs lie in Redis as after BullMQ, and come in its form', async () => {
  await withTwins(async (bull, ours) => {
    const ids = ['f-1', 'f-2', 'f-3', 'f-4', 'f-5'];
    const tokens = ['a', 'b', 'c'];
    const active = new Map<Twin, (Job | undefined)[]>();
    for (const twin of [bull, ours]) {
      await twin.addByBull(ids);
      const jobs = [];
      for (const token of tokens) jobs.push(await twin.worker.getNextJob(token));
      active.set(twin, jobs);
      // As the check for stalled jobs leaves it.
      await twin.connection.sadd(twin.queue.toKey('stalled'), 'f-1', 'f-2', 'f-3');
    }
    const taken: unknown[] = [];
    for (const [index, job] of (active.get(bull) ?? []).entries()) {
      const token = tokens[index] ?? '';
      taken.push(await job?.moveToCompleted({ done: token }, token, index < 2));
    }
    const raws = await ours.finish([
      ['f-1', 'a', '{"done":"a"}', true],
      ['f-2', 'b', '{"done":"b"}', true],
      ['f-3', 'c', '{"done":"c"}', false],
    ]);
    expect(await ours.dump()).toEqual(await bull.dump());
    expect(raws.map((raw) => (Array.isArray(raw) ? raw[1] : raw))).toEqual(['f-4', 'f-5', 0]);
    const [first] = raws as [[string[], string, number, number]];
    expect(first.slice(2)).toEqual([0, 0]);
    const fields = Object.fromEntries(
      first[0].flatMap((text, at) => (at % 2 === 0 ? [[text, first[0][at + 1]]] : [])),
    );
    expect(fields).toMatchObject({ data: '{"n":"f-4"}', ats: '1', processedOn: String(NOW) });
    // What the worker reads of it.
    const [json, id] = taken[0] as [{ data: string; attemptsStarted: number }, string];
    expect({ id, data: json.data }).toEqual({ id: 'f-4', data: fields.data });
  });
});

test('only what is gone, or in the hands of another worker, is refused, and the other finds the result', async () => {
  await withTwins(async (bull, ours) => {
    const { connection, queue } = ours;
    for (const { addByBull, worker } of [bull, ours]) {
      await addByBull(['f-1', 'f-2', 'f-3', 'f-4']);
      for (const token of ['a', 'b', 'c']) await worker.getNextJob(token);
    }
    await connection.set(queue.toKey('f-2:lock'), 'another');
    const raws = await ours.finish([
      ['f-2', 'b', '2', true],
      ['f-9', 'x', '9', true],
      ['f-3', 'c', '3', true],
    ]);
    expect(raws.slice(0, 2)).toEqual([-6, -1]);
    // Only the one that was finished takes another.
    expect((raws[2] as unknown[])[1]).toBe('f-4');
    expect(await queue.getCompleted()).toMatchObject([{ id: 'f-3' }]);
    expect(await connection.lrange(queue.toKey('active'), 0, -1)).toEqual(['f-4', 'f-2', 'f-1']);
    expect(await connection.get(queue.toKey('f-2:lock'))).toBe('another');
    const done = (await connection.keys('*:done:*')).map((key) => key.slice(key.indexOf(':done:')));
    expect(done).toEqual([':done:f-2']);
    expect(await connection.exists(queue.toKey('f-9'))).toBe(0);
  });
});

test('a result is published wherever its job stands once its lock has run out, and only once', async () => {
  await withTwins(async (_, ours) => {
    const { connection, queue, worker, add, finish } = ours;
    const ids = ['f-active', 'f-wait', 'f-delayed', 'f-failed', 'f-nowhere', 'f-published'];
    await add(ids);
    for (const id of ids) await worker.getNextJob(id);
    await connection.del(...ids.map((id) => queue.toKey(`${id}:lock`)));
    for (const id of ids.slice(1)) await connection.lrem(queue.toKey('active'), 0, id);
    await connection.rpush(queue.toKey('wait'), 'f-wait');
    await connection.zadd(queue.toKey('delayed'), NOW * 4096, 'f-delayed');
    await connection.zadd(queue.toKey('failed'), NOW, 'f-failed');
    await connection.zadd(queue.toKey('completed'), NOW - 1, 'f-published');
    expect(await finish(ids.map((id) => [id, id, `"of ${id}"`, false]))).toEqual(ids.map(() => 0));
    expect(await queue.getJobCounts('wait', 'active', 'delayed', 'failed', 'completed')).toEqual({
      ...{ wait: 0, active: 0, delayed: 0, failed: 0 },
      completed: ids.length,
    });
    for (const id of ids.slice(0, -1))
      expect(await connection.hget(queue.toKey(id), 'returnvalue')).toBe(`"of ${id}"`);
    expect(await connection.hget(queue.toKey('f-published'), 'returnvalue')).toBeNull();
  });
});

test('from a paused or a limited queue nothing is taken, from a short one what is there', async () => {
  await withTwins(async (_, ours) => {
    const { queue, worker, add, finish, connection } = ours;
    await add(['f-1', 'f-2', 'f-3', 'f-4']);
    for (const token of ['a', 'b', 'c']) await worker.getNextJob(token);
    await queue.pause();
    expect(await finish([['f-1', 'a', '1', true]])).toEqual([0]);
    await queue.resume();
    await queue.setGlobalConcurrency(10);
    expect(await finish([['f-2', 'b', '1', true]])).toEqual([0]);
    await queue.removeGlobalConcurrency();
    await add(['f-5']);
    // A marker of older versions of BullMQ is left to BullMQ.
    const raws = await finish([['f-3', 'c', '1', true]]);
    expect((raws[0] as unknown[])[1]).toBe('f-4');
    await connection.rpush(queue.toKey('wait'), '0:0');
    expect(await finish([['f-4', 'c', '1', true]])).toEqual([0]);
    expect(await connection.lrange(queue.toKey('wait'), 0, -1)).toEqual(['f-5', '0:0']);
    await connection.rpop(queue.toKey('wait'));
    await worker.getNextJob('e');
    expect(await finish([['f-5', 'e', '1', true]])).toEqual([0]);
  });
});

test('who gets no job is told when the next delayed one is due, as by BullMQ', async () => {
  await withTwins(async (bull, ours) => {
    const due: number[] = [];
    for (const { queue, addByBull, worker } of [bull, ours]) {
      await addByBull(['f-1', 'f-2', 'f-3']);
      await queue.add('upload', {}, { jobId: 'f-9', delay: 60_000, timestamp: Date.now() });
      due.push(Number((await queue.getJob('f-9'))?.timestamp) + 60_000);
      if (worker === ours.worker) for (const token of ['a', 'b']) await worker.getNextJob(token);
    }
    const job = await bull.worker.getNextJob('a');
    for (const token of ['b', 'c']) await bull.worker.getNextJob(token);
    expect(await job?.moveToCompleted({}, 'a', true)).toEqual([null, 0, 0, due[0]]);
    const raws = await ours.finish([
      ['f-1', 'a', '1', true],
      ['f-2', 'b', '2', true],
    ]);
    // One is left for two.
    expect((raws[0] as unknown[])[1]).toBe('f-3');
    expect(raws[1]).toEqual([0, 0, 0, due[1]]);
  });
});

test('removing finished jobs leaves nothing of them, and nothing of others is touched', async () => {
  await withTwins(async (_, ours) => {
    const { queue, worker, add, finish, remove, connection } = ours;
    await add(['f-1', 'f-2', 'f-3', 'f-4']);
    const failing = await worker.getNextJob('a');
    for (const token of ['b', 'c']) await worker.getNextJob(token);
    await failing?.moveToFailed(new Error('no'), 'a', false);
    await failing?.log('why');
    await finish([['f-2', 'b', '2', false]]);
    // Active, waiting, unknown: none of them is finished.
    expect(await remove(['f-1', 'f-2', 'f-3', 'f-4', 'f-9'])).toBe(2);
    const keys = (await connection.keys(`${queue.toKey('')}f-*`)).map((key) =>
      key.slice(queue.toKey('').length),
    );
    expect(keys.sort()).toEqual(['f-3', 'f-3:lock', 'f-4']);
    expect(await queue.getJobCounts('completed', 'failed')).toEqual({ completed: 0, failed: 0 });
  });
});

test('a script that this Redis has never seen, or has forgotten, is sent whole', async () => {
  const connection = redis.connect();
  const script = redisScript(`return { KEYS[1], ARGV[1], '${serial}' }`);
  expect(await script(connection, ['k'], [1])).toEqual(['k', '1', String(serial)]);
  await connection.script('FLUSH');
  expect(await script(connection, ['k'], [2])).toEqual(['k', '2', String(serial)]);
  await expect(redisScript('return redis.error_reply("ERR no")')(connection, [], [])).rejects.toThrow(
    'ERR no',
  );
});
