/** What cannot work with a Redis is said by name, with its fix, before anything is put into it. */
import { expect, test, vi } from 'vitest';
import { checkRedis } from '../../../src/redis/redis-check.ts';
import { neededRules } from '../../../src/redis/redis-failure.ts';
import type { RedisTarget } from '../../../src/redis/redis-target.ts';
import { freePorts, startCluster, startSentinels, startServer } from '../../support/redis-fleet.ts';
import { tlsFiles } from '../../support/tls-files.ts';

/** What a start would say: code and message; `ok` and the warnings where it would go on. */
async function said(target: RedisTarget): Promise<string> {
  try {
    const { warnings } = await checkRedis(target, { tryPrefix: 'slipway' });
    return ['ok', ...warnings].join('\n');
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as Error).message}`;
  }
}

test('a server that is not what was named, or not open, is told from one that does not answer', async () => {
  const plain = await startServer(['appendonly yes']);
  const locked = await startServer(['appendonly yes', 'requirepass open-sesame']);
  const replica = await startServer(['appendonly yes', `replicaof 127.0.0.1 ${plain.port}`]);
  const url = `redis://${plain.address}`;
  expect(await said({ url })).toBe('ok');
  expect(await said({ url: `redis://${locked.address}`, password: 'open-sesame' })).toBe('ok');
  expect(await said({ url: `redis://${locked.address}` })).toMatch(
    /^redis_password_missing .*\(NOAUTH\): set redis\.password/,
  );
  const wrong = await said({ url: `redis://${locked.address}`, username: 'me', password: 'open-barley' });
  expect(wrong).toMatch(/^redis_password_wrong .*\(WRONGPASS\): correct redis\.username and redis\.password/);
  expect(wrong).not.toContain('open-barley');
  expect(await said({ url: `redis://${replica.address}` })).toMatch(
    new RegExp(`^redis_replica .* read-only replica of ${plain.address}: name the primary in redis\\.url`),
  );
  expect(await said({ url: `${url}/99` })).toMatch(/^redis_database .*correct redis\.url/);
  expect(await said({ url, db: 99 })).toMatch(/^redis_database .*correct redis\.db/);
  expect(await said({ url: null, cluster: [plain.address] })).toMatch(
    /^redis_not_cluster .*name it in redis\.url/,
  );
  expect(await said({ url: null, sentinels: [plain.address], name: 'mymaster' })).toMatch(
    /^redis_not_sentinel .*name the Sentinels in redis\.sentinels/,
  );
  const [closed] = await freePorts(1);
  for (const nobody of [
    { url: `redis://127.0.0.1:${closed}` },
    { url: null, cluster: [`127.0.0.1:${closed}`] },
    { url: null, sentinels: [`127.0.0.1:${closed}`], name: 'mymaster' },
  ])
    expect(await said(nobody)).toMatch(/^redis_unreachable .*ECONNREFUSED/);
});

test('a user needs the rights that are documented, and each one that is missing is named with them', async () => {
  const server = await startServer(['appendonly yes']);
  const admin = server.admin();
  const as = async (name: string, rules: string): Promise<string> => {
    const given = ['on', '>pw', 'resetkeys', 'resetchannels', '-@all', ...rules.split(' ')];
    // Its server is no Cluster; a server knows the sub-commands either way.
    await admin.call('ACL', 'SETUSER', name, ...given);
    return await said({ url: `redis://${name}:pw@${server.address}` });
  };
  expect(await as('documented', neededRules('slipway'))).toBe('ok');
  for (const [name, rules, reason] of [
    ['keys', '~other:* &slipway:* +@all', 'keys'],
    ['channels', '~slipway:* +@all', 'channel'],
    ['scripts', '~slipway:* &slipway:* +@all -@scripting', 'evalsha'],
    ['info', '~slipway:* &slipway:* +@all -@dangerous', 'info'],
    ['writes', '~slipway:* &slipway:* +@all -@write', 'set'],
    ['waits', '~slipway:* &slipway:* +@all -@blocking', 'bzpopmin'],
    ['streams', '~slipway:* &slipway:* +@all -@stream', 'script'],
  ] as const)
    expect(await as(name, rules)).toMatch(
      new RegExp(`^redis_forbidden .*give user ${name} .*${reason}.*ACL SETUSER ${name} ~slipway:\\* `),
    );
});

test('a Redis that takes nothing is told from one that is wrong', async () => {
  const server = await startServer(['appendonly yes']);
  const admin = server.admin();
  for (const [setting, value, word] of [
    ['maxmemory', '1mb', 'OOM'],
    ['min-replicas-to-write', '3', 'NOREPLICAS'],
  ] as const) {
    await admin.config('SET', setting, value);
    expect(await said({ url: `redis://${server.address}` })).toMatch(new RegExp(`^redis_refuses .*${word}`));
    await admin.config('SET', setting, '0');
  }
  expect(await said({ url: `redis://${server.address}` })).toBe('ok');
});

test('TLS: an unknown authority, another name, a certificate that is asked for, and none spoken at all', async () => {
  const { certFile, keyFile, caFile } = tlsFiles();
  const pair = [`tls-cert-file ${certFile}`, `tls-key-file ${keyFile}`, `tls-ca-cert-file ${caFile}`];
  const secure = async (clients: 'yes' | 'no') => {
    const [port = 0] = await freePorts(1);
    const settings = ['appendonly yes', 'port 0', `tls-port ${port}`, ...pair, `tls-auth-clients ${clients}`];
    return await startServer(settings, { port });
  };
  const [open, asking] = [await secure('no'), await secure('yes')];
  const trusted = { caFile, certFile: null, keyFile: null, servername: null };
  const url = `rediss://${open.address}`;
  expect(await said({ url, tls: trusted })).toBe('ok');
  expect(await said({ url })).toMatch(/^redis_tls .*SELF_SIGNED.*redis\.tls\.caFile \(network\.caFile/);
  expect(await said({ url, tls: { ...trusted, servername: 'other.example' } })).toMatch(
    /^redis_tls .*set redis\.tls\.servername/,
  );
  expect(await said({ url: `redis://${open.address}` })).toMatch(/^redis_unreachable .*wants TLS: rediss/);
  const mutual = { url: `rediss://${asking.address}`, tls: trusted };
  expect(await said(mutual)).toMatch(/certificate: redis\.tls\.certFile and keyFile/);
  expect(await said({ ...mutual, tls: { ...trusted, certFile, keyFile } })).toBe('ok');
  expect(await said({ url, tls: { ...trusted, caFile: '/nowhere.pem' } })).toMatch(
    /^config_unreadable .*\/nowhere\.pem/,
  );
});

test('Sentinels: one that is down is passed over, another name is told with those they know', async () => {
  const { addresses, primary } = await startSentinels({ replicas: 1 });
  const [first = ''] = addresses;
  const [closed] = await freePorts(1);
  const byName = (name: string) => ({ url: null, sentinels: [`127.0.0.1:${closed}`, ...addresses], name });
  expect(await said(byName('mymaster'))).toBe('ok');
  expect(await said(byName('other'))).toMatch(/^redis_primary_unknown .*set redis\.name to mymaster/);
  for (const url of [`redis://${first}`, `redis://${first}/2`])
    expect(await said({ url })).toContain(`set redis.sentinels: [${first}] and redis.name: mymaster`);
  expect(await said({ url: null, cluster: addresses })).toMatch(/^redis_is_sentinel/);
  await primary.admin().config('SET', 'requirepass', 'open-sesame');
  expect(await said(byName('mymaster'))).toMatch(/^redis_password_missing/);
  expect(await said({ ...byName('mymaster'), password: 'open-sesame' })).toBe('ok');
});

test('a Cluster: named as one server, and not whole', async () => {
  const { addresses, nodes } = await startCluster({ replicated: false });
  const [first = ''] = addresses;
  expect(await said({ url: null, cluster: addresses })).toBe('ok');
  expect(await said({ url: `redis://${first}` })).toContain(
    `set redis.cluster: [${first}] in place of redis.url`,
  );
  await nodes[2]?.kill();
  await vi.waitFor(
    async () =>
      expect(await said({ url: null, cluster: addresses })).toMatch(/^redis_cluster_down .*slots are served/),
    { timeout: 30_000, interval: 250 },
  );
});
