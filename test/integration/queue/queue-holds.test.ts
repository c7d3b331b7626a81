/** What somebody sets on a queue past Slipway, with BullMQ itself. */
import { Queue } from 'bullmq';
import { expect, onTestFinished, test, vi } from 'vitest';
import { liftQueueHolds, readQueueHolds } from '../../../src/queue/queue-holds.ts';
import { QUEUE_KINDS, queueName } from '../../../src/redis/queue-key.ts';
import { startTestRedis } from '../../support/redis-server.ts';
import { runRig } from '../../support/run-rig.ts';
import { autoglm, GIVE_UP_MS, never } from '../../support/run-steps.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

test('a queue paused from outside takes no file, says so in the report, and goes on when that is lifted', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  const connection = rig.redis.connect();
  const names = QUEUE_KINDS.map((kind) => queueName('inbox', kind));
  const boards = names.map((name) => new Queue(name, { connection, prefix: 'slipway' }));
  onTestFinished(async () => void (await Promise.all(boards.map((board) => board.close()))));
  const run = await rig.start();
  for (const board of boards) await board.pause();
  rig.files(10);
  await vi.waitFor(async () => expect((await run.report()).sources[0]?.waiting).toBe(10));
  const [source] = (await run.report()).sources;
  expect(source?.blockers).toMatchObject([
    {
      reason: 'queue-held',
      message: expect.stringMatching(/is paused.*bull-board.*slipway resume lifts it/),
    },
  ]);
  expect(source?.trouble).toBe(source?.blockers?.[0]?.message);
  expect(rig.receipts()).toEqual([]);
  expect(await liftQueueHolds(connection, 'slipway', 'inbox')).toMatchObject([{ kind: 'paused' }]);
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect((await run.report()).sources[0]).toMatchObject({ trouble: null, blockers: [] });
  expect(sandbox.summary().count).toBe(10);
});

test('a global concurrency and a rate are seen and lifted, and nothing else of the queue is touched', async () => {
  const redis = await startTestRedis();
  onTestFinished(() => redis.close());
  const connection = redis.connect();
  const queue = new Queue('{inbox}', { connection, prefix: 'p' });
  onTestFinished(() => queue.close());
  await queue.waitUntilReady();
  await vi.waitFor(async () => expect(await connection.hget('p:{inbox}:meta', 'version')).not.toBeNull());
  const before = await connection.hgetall('p:{inbox}:meta');
  expect(await readQueueHolds(connection, 'p', 'inbox')).toEqual([]);
  await queue.setGlobalConcurrency(3);
  await queue.setGlobalRateLimit(5, 1_000);
  expect(await readQueueHolds(connection, 'p', 'inbox')).toMatchObject([
    { kind: 'concurrency', message: expect.stringContaining('takes 3 at once') },
    { kind: 'rate', message: expect.stringContaining('takes 5 in 1000 ms') },
  ]);
  expect(await liftQueueHolds(connection, 'p', 'inbox')).toHaveLength(2);
  expect(await connection.hgetall('p:{inbox}:meta')).toEqual(before);
  expect(await liftQueueHolds(connection, 'p', 'inbox')).toEqual([]);
});
