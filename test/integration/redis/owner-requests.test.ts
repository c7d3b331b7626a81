import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { silentLog } from '../../../src/domain/log.ts';
import { askOwner, hearRequests } from '../../../src/redis/coordination/owner-requests.ts';
import { startTestRedis } from '../../support/redis-server.ts';

async function peers(handle: (request: unknown) => Promise<unknown>) {
  const redis = await startTestRedis();
  onTestFinished(() => redis.close());
  const [owner, asker] = [0, 1].map(() => {
    const connection = new Redis({ path: redis.socketPath, maxRetriesPerRequest: null });
    onTestFinished(() => connection.disconnect());
    return connection;
  }) as [Redis, Redis];
  const place = { prefix: 'slipway', source: 'in box' };
  const hear = () => {
    const ear = hearRequests({ connection: owner, ...place, handle, log: silentLog });
    onTestFinished(() => ear.close());
    return ear;
  };
  const ask = (request: unknown, timeoutMs = 30_000) =>
    askOwner({ connection: asker, ...place, request, timeoutMs });
  return { hear, ask, asker };
}

test('the owner does what it is asked, one request at a time, and the answer comes back', async () => {
  let busy = 0;
  const { hear, ask } = await peers(async (request) => {
    busy += 1;
    expect(busy).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    busy -= 1;
    return { did: request };
  });
  hear();
  expect(await Promise.all([ask(1), ask(2), ask(3)])).toEqual([{ did: 1 }, { did: 2 }, { did: 3 }]);
});

test('an error of the owner reaches the one who asked, in its words', async () => {
  const { hear, ask } = await peers(async () => {
    throw new SlipwayError('disk_full', { path: '/data' });
  });
  hear();
  await expect(ask('x')).rejects.toThrow(/could not do it: no space left on the disk of \/data/);
});

test('a request that nobody takes is withdrawn: it is not done later behind the back of its asker', async () => {
  const asked: unknown[] = [];
  const { hear, ask, asker } = await peers(async (request) => {
    asked.push(request);
    return null;
  });
  await expect(ask('first', 1_000)).rejects.toMatchObject({ code: 'owner_silent' });
  expect(await asker.keys('*requests*')).toEqual([]);
  hear();
  await ask('second');
  expect(asked).toEqual(['second']);
});

test('requests made before the owner listens are taken once it does, and none after it has closed', async () => {
  const { hear, ask } = await peers(async () => 'done');
  const early = ask('early');
  const ear = hear();
  expect(await early).toBe('done');
  await ear.close();
  await expect(ask('late', 1_000)).rejects.toMatchObject({ code: 'owner_silent' });
});
