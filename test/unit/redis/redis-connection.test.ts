import { expect, test } from 'vitest';
import { reconnectDelayMs, redisOptions } from '../../../src/redis/redis-connection.ts';

const target = { url: 'rediss://user:secret@redis.example/5' };

test('reconnects come quickly at first and every two seconds at last, with up to a tenth of jitter', () => {
  expect([1, 2, 10, 20, 21, 500].map((attempt) => reconnectDelayMs(attempt, 0))).toEqual([
    100, 200, 1000, 2000, 2000, 2000,
  ]);
  expect(reconnectDelayMs(20, 0.5)).toBe(2100);
  expect(reconnectDelayMs(1, 0.999)).toBeLessThanOrEqual(110);
});

test.each(['producer', 'worker'] as const)('a %s waits for Redis for ever', (role) => {
  const options = redisOptions(target, role, () => 0);
  expect(options.maxRetriesPerRequest).toBeNull();
  expect(options.retryStrategy?.(10_000)).toBe(2000);
});

test('a probe gives up after its second try', () => {
  const options = redisOptions(target, 'probe', () => 0);
  expect(options.maxRetriesPerRequest).toBe(1);
  expect(options.commandTimeout).toBe(5000);
  expect(options.retryStrategy?.(1)).toBe(100);
  expect(options.retryStrategy?.(2)).toBeNull();
});

test('no daemon times commands out, since that would end a blocking read as well', () => {
  for (const role of ['producer', 'worker'] as const) {
    expect(redisOptions(target, role)).not.toHaveProperty('commandTimeout');
  }
});

test('address, credentials and TLS reach the connection', () => {
  expect(redisOptions(target, 'worker')).toMatchObject({
    host: 'redis.example',
    port: 6379,
    db: 5,
    username: 'user',
    password: 'secret',
    tls: { servername: 'redis.example' },
  });
  expect(redisOptions({ url: 'rediss://127.0.0.1' }, 'worker').tls).toEqual({});
  expect(redisOptions({ url: 'redis://h' }, 'worker')).not.toHaveProperty('tls');
  expect(redisOptions({ socketPath: '/s' }, 'worker')).toMatchObject({ path: '/s', db: 0 });
});

test('a replica after a failover is left for the new primary, and the command sent again', () => {
  const { reconnectOnError } = redisOptions(target, 'worker');
  expect(reconnectOnError?.(new Error("READONLY You can't write against a read only replica."))).toBe(2);
  expect(reconnectOnError?.(new Error('WRONGTYPE'))).toBe(false);
});
