/** What a Redis that cannot serve does to the command: it says so, ends, and leaves nothing running. */
import { writeFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { neededRules } from '../../src/redis/redis-failure.ts';
import { freePorts, startCluster, startSentinels, startServer } from '../support/redis-fleet.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { tlsFiles } from '../support/tls-files.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

test('a start ends by itself with the exit code and the fix, and doctor finds the same', async () => {
  const place = await newWorkplace();
  const destination = sandboxDestination(await sandboxForTest());
  const server = await startServer(['appendonly yes']);
  const admin = server.admin();
  const user = async (name: string, ...rules: string[]): Promise<string> => {
    await admin.call('ACL', 'SETUSER', name, 'on', '>pw', 'resetkeys', 'resetchannels', ...rules);
    return `redis://${name}:pw@${server.address}`;
  };
  const locked = await startServer(['requirepass open-sesame', 'appendonly yes']);
  const replica = await startServer([`replicaof 127.0.0.1 ${server.port}`]);
  const full = await startServer(['maxmemory 1mb', 'appendonly yes']);
  const { sentinels } = await startSentinels({ replicas: 0 });
  const cluster = await startCluster({ primaries: 3, replicated: false });
  const [closed] = await freePorts(1);
  const cases: [name: string, redis: object, code: number, says: RegExp][] = [
    ['away', { url: `redis://127.0.0.1:${closed}` }, 5, /does not answer \(ECONNREFUSED\)/],
    ['noauth', { url: `redis://${locked.address}` }, 2, /wants a password \(NOAUTH\)/],
    ['wrongpass', { url: `redis://${locked.address}`, password: 'wrong-sesame' }, 2, /WRONGPASS/],
    ['replica', { url: `redis://${replica.address}` }, 2, /read-only replica of 127\.0\.0\.1/],
    ['full', { url: `redis://${full.address}` }, 5, /does not take what is written \(OOM/],
    ['sentinel', { url: `redis://${sentinels[0]?.address}` }, 2, /redis\.name: mymaster/],
    ['cluster', { url: `redis://${cluster.addresses[0]}` }, 2, /set redis\.cluster: \[/],
    ['keys', { url: await user('keys', '~other:*', '&slipway:*', '+@all') }, 2, /give user keys all rights/],
    ['channels', { url: await user('channels', '~slipway:*', '+@all') }, 2, /give user channels all rights/],
    [
      'scripts',
      { url: await user('scripts', '~slipway:*', '&slipway:*', '+@all', '-@scripting') },
      2,
      /evalsha/,
    ],
    ['info', { url: await user('info', '~slipway:*', '&slipway:*', '+@all', '-@dangerous') }, 2, /'info'/],
  ];
  for (let start = 0; start < cases.length; start += 4)
    await Promise.all(
      cases.slice(start, start + 4).map(async ([name, redis, code, says]) => {
        const file = place.path(`${name}.yaml`);
        const config = { ...inboxConfig(destination), dataDir: `./data-${name}`, redis };
        await writeFile(file, JSON.stringify(config));
        const ended = await place.run(['run', '--config', file]);
        expect({ name, code: ended.code, stderr: ended.stderr }).toEqual({
          ...{ name, code },
          stderr: expect.stringMatching(says),
        });
        expect(ended.stderr).not.toContain('wrong-sesame');
        const doctor = await place.read(['doctor', '--config', file, '--json']);
        const { findings } = JSON.parse(doctor.stdout) as { findings: object[] };
        expect(findings).toContainEqual(
          expect.objectContaining({ check: 'redis', state: 'problem', message: expect.stringMatching(says) }),
        );
      }),
    );
});

test('a run over TLS with the documented rights alone does all its work; rights that are taken away are said once', async () => {
  const place = await newWorkplace();
  const { certFile, keyFile, caFile } = tlsFiles();
  const [port = 0] = await freePorts(1);
  const pair = [`tls-cert-file ${certFile}`, `tls-key-file ${keyFile}`, `tls-ca-cert-file ${caFile}`];
  const [plainPort = 0] = await freePorts(1);
  const settings = [
    `port ${plainPort}`,
    `tls-port ${port}`,
    ...pair,
    'tls-auth-clients no',
    'appendonly yes',
  ];
  const server = await startServer(settings, { port: plainPort });
  const admin = server.admin();
  const rules = neededRules('team').split(' ');
  await admin.call('ACL', 'SETUSER', 'slipway', 'on', '>pw', 'resetkeys', 'resetchannels', '-@all', ...rules);
  const redis = { url: `rediss://127.0.0.1:${port}`, username: 'slipway', password: 'pw', prefix: 'team' };
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox), { redis, network: { caFile } }));
  for (let n = 0; n < 20; n += 1) await place.file(`inbox/${n}.txt`, `content ${n}`);
  const [intake, worker] = [place.start(['intake']), place.start(['worker'])];
  await place.recorded(20);
  expect(sandbox.summary().count).toBe(20);
  expect((await place.read(['pause'])).code).toBe(0);
  expect((await place.read(['resume'])).code).toBe(0);
  const status = JSON.parse((await place.read(['status', '--json'])).stdout) as object;
  expect(status).toMatchObject({ running: true, redis: 'ok', redisTrouble: null });
  await admin.call('ACL', 'SETUSER', 'slipway', '-@scripting');
  await Promise.all([intake, worker].map((cli) => cli.said('give user slipway all rights')));
  await place.file('inbox/late.txt', 'late');
  await admin.call('ACL', 'SETUSER', 'slipway', '+@scripting');
  await place.recorded(21);
  for (const cli of [intake, worker]) {
    cli.signal('SIGTERM');
    const { code, stderr } = await cli.ended;
    expect(code).toBe(0);
    expect(stderr.match(/give user slipway all rights/g)).toHaveLength(1);
    // Nothing of a library stands among the JSON.
    for (const line of stderr.trim().split('\n')) expect(line).toMatch(/^\{.*\}$/);
  }
});

test('a queue paused past Slipway is shown with where that came from, and lifted by resume', async () => {
  const place = await newWorkplace();
  const server = await startServer(['appendonly yes']);
  const sandbox = await sandboxForTest();
  const redis = { url: `redis://${server.address}` };
  await place.config(inboxConfig(sandboxDestination(sandbox), { redis }));
  const admin = server.admin();
  // What queue.pause() and bull-board write.
  for (const queue of ['{inbox}', '{inbox}.live', '{inbox}.carriers'])
    await admin.hset(`slipway:${queue}:meta`, 'paused', 1);
  await place.file('inbox/a.txt', 'a');
  const cli = place.start(['run']);
  await vi.waitFor(async () => expect(await admin.llen('slipway:{inbox}.carriers:wait')).toBe(1), 45_000);
  expect((await place.read(['status'])).stdout).toMatch(
    /the queue itself is paused: set in Redis .*bull-board/,
  );
  const before = JSON.parse((await place.read(['status', '--json'])).stdout) as object;
  expect(before).toMatchObject({ sources: [{ held: [{ kind: 'paused' }] }] });
  const resumed = await place.read(['resume', '--source', 'inbox']);
  expect(resumed.stdout).toMatch(/^source inbox: no longer: the queue itself is paused/);
  await place.recorded(1);
  cli.signal('SIGTERM');
  expect((await cli.ended).code).toBe(0);
});
