import { Queue } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { newEndpoint } from '../../../src/domain/delivery.ts';
import { openOutbox } from '../../../src/ledger/tables/outbox-store.ts';
import { dropLeftDeliveryQueues } from '../../../src/queue/left-delivery-queues.ts';
import { storeIn, testFolder } from '../../support/record-rig.ts';
import { startTestRedis } from '../../support/redis-server.ts';

test('a delivery queue of an older version is removed whole, and nothing else', async () => {
  const redis = await startTestRedis();
  onTestFinished(() => redis.close());
  const connection = redis.connect();
  connection.setMaxListeners(100);
  // As that version made it, with jobs in every state it had.
  const name = '{in%20box}.webhook.my%20hook';
  const queue = new Queue(name, { connection, prefix: 'slipway' });
  await queue.addBulk(
    Array.from({ length: 1_200 }, (_, index) => ({
      name: 'deliver',
      data: { v: 1 },
      opts: { jobId: `d${index}-0`, delay: index % 2 === 0 ? 60_000 : 0 },
    })),
  );
  await queue.pause();
  await queue.close();
  await connection.set('slipway:{in%20box}:slipway:owner', 'kept');
  await connection.set('other:{in%20box}.webhook.my%20hook:meta', 'kept');
  expect((await connection.keys('slipway:*webhook*')).length).toBeGreaterThan(1_200);

  const { ledger, close } = await storeIn(testFolder());
  onTestFinished(close);
  const outbox = openOutbox(ledger);
  ledger.transact(() => {
    for (const name of ['my hook', 'never there']) outbox?.putState(name, newEndpoint(0, 0));
  });
  const where = { connection, prefix: 'slipway', source: 'in box', ledger };
  await dropLeftDeliveryQueues(where);
  await dropLeftDeliveryQueues(where);
  expect((await connection.keys('*')).sort()).toEqual([
    'other:{in%20box}.webhook.my%20hook:meta',
    'slipway:{in%20box}:slipway:owner',
  ]);
});
