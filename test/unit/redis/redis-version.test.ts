import { expect, test } from 'vitest';
import { isSupportedRedis } from '../../../src/redis/redis-version.ts';

test.each([
  ['6.2.0', true],
  ['6.10.1', true],
  ['7.0.15', true],
  ['10.0.0', true],
  ['6.0.16', false],
  ['5.9.9', false],
  ['unknown', false],
])('Redis %s can hold the queue: %s', (version, supported) => {
  expect(isSupportedRedis(version)).toBe(supported);
});
