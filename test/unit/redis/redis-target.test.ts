import { expect, test } from 'vitest';
import { parseRedisTarget, redisOrigin } from '../../../src/redis/redis-target.ts';

const plain = { kind: 'tcp', tls: false, host: 'h', port: 6379, db: 0, username: null, password: null };

test.each([
  ['redis://h', plain],
  ['redis://h:7000/3', { ...plain, port: 7000, db: 3 }],
  ['rediss://h', { ...plain, tls: true }],
  ['redis://:p%40ss%2F@h', { ...plain, password: 'p@ss/' }],
  ['redis://user:pass@h', { ...plain, username: 'user', password: 'pass' }],
  ['redis://[::1]:7000', { ...plain, host: '::1', port: 7000 }],
  ['redis:///2', { ...plain, host: 'localhost', db: 2 }],
  ['unix:///run/redis.sock', { kind: 'socket', path: '/run/redis.sock', db: 0 }],
  ['unix:///run/a%20b.sock?db=4', { kind: 'socket', path: '/run/a b.sock', db: 4 }],
  ['/run/redis.sock', { kind: 'socket', path: '/run/redis.sock', db: 0 }],
])('%s is taken apart', (url, address) => {
  expect(parseRedisTarget({ url })).toEqual(address);
});

test('the socket of a private Redis is used as it is, whatever its name holds', () => {
  expect(parseRedisTarget({ socketPath: '/data 100%/redis.sock' })).toMatchObject({
    path: '/data 100%/redis.sock',
  });
});

test.each(['redis://:se#cret@h', 'redis://:se%cret@h', 'redis://:secret@h/zero', 'http://:secret@h'])(
  '%s is refused without quoting it',
  (url) => {
    const parse = (): unknown => parseRedisTarget({ url });
    expect(parse).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    expect(parse).toThrow(/^redis\.url (?!.*cret)/);
  },
);

test.each([
  ['redis://user:secret@h:7000/3', 'redis://h:7000'],
  ['rediss://:secret@[::1]', 'rediss://[::1]:6379'],
  ['unix:///run/redis.sock?db=4', 'unix:///run/redis.sock'],
])('of %s people see the origin only', (url, origin) => {
  expect(redisOrigin({ url })).toBe(origin);
});

test('Sentinels and a Cluster are named by host and port, with the credentials beside them', () => {
  const credentials = { username: 'u', password: 'p' };
  const hosts = ['redis-1:26379', '[::1]:2'];
  const taken = [
    { host: 'redis-1', port: 26_379 },
    { host: '::1', port: 2 },
  ];
  expect(parseRedisTarget({ url: null, sentinels: hosts, name: 'm', db: 3, ...credentials })).toEqual({
    ...{ kind: 'sentinels', tls: false, hosts: taken, name: 'm', db: 3 },
    ...credentials,
  });
  const tls = { caFile: null, certFile: null, keyFile: null, servername: null };
  expect(parseRedisTarget({ url: null, cluster: hosts, tls, ...credentials })).toEqual({
    ...{ kind: 'cluster', tls: true, hosts: taken },
    ...credentials,
  });
  expect(parseRedisTarget({ url: 'redis://h', db: 4, ...credentials })).toEqual({
    ...plain,
    db: 4,
    ...credentials,
  });
  expect(redisOrigin({ url: null, sentinels: hosts, name: 'm', ...credentials })).toBe(
    'sentinel://redis-1:26379,[::1]:2/m',
  );
  expect(redisOrigin({ url: null, cluster: hosts, ...credentials })).toBe('cluster://redis-1:26379,[::1]:2');
});
