import { expect, test } from 'vitest';
import { redisMistakes } from '../../../src/config/redis-checks.ts';

const url = 'redis://h:1';

test.each([
  [{}],
  [{ url }],
  [{ url: null, prefix: 'a' }],
  [{ url: 'rediss://h', tls: { caFile: 'ca.pem' }, username: 'u', password: 'p', db: 3 }],
  [{ sentinels: ['a:1', 'b:2'], name: 'm', sentinelPassword: 'p', db: 1, tls: {} }],
  [{ cluster: ['a:1'], username: 'u', password: 'p', tls: {}, db: 0 }],
  [{ url: 'redis://h/2', db: 2 }],
])('%j is right', (redis) => {
  expect(redisMistakes(redis)).toEqual([]);
});

test.each([
  [{ url, cluster: ['a:1'] }, { cluster: /redis\.url: name Redis in one of them/ }],
  [
    { url, sentinels: ['a:1'], name: 'm', cluster: ['a:1'] },
    { sentinels: /together/, cluster: /together/ },
  ],
  [{ sentinels: ['a:1'] }, { name: /required with redis\.sentinels/ }],
  [
    { url, name: 'm', sentinelPassword: 'p' },
    { name: /goes with/, sentinelPassword: /goes with/ },
  ],
  [{ cluster: ['a:1'], db: 2 }, { db: /database 0 alone/ }],
  [
    { password: 'p', tls: {} },
    { password: /private Redis/, tls: /private Redis/ },
  ],
  [{ url: 'redis://u:p@h', password: 'p' }, { password: /in redis\.url as well/ }],
  [{ url, tls: {} }, { tls: /begin redis\.url with rediss/ }],
  [{ url: 'redis://h/2', db: 3 }, { db: /another one/ }],
  [{ url: 'unix:///s?db=2', db: 3 }, { db: /another one/ }],
])('%j is told, each mistake at its key', (redis, wanted) => {
  const found = redisMistakes(redis);
  expect(found.map(({ path }) => path.at(-1)).sort()).toEqual(Object.keys(wanted).sort());
  for (const { path, message } of found)
    expect(message).toMatch((wanted as unknown as Record<string, RegExp>)[String(path.at(-1))] ?? /^$/);
});
