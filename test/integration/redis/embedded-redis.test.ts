import { existsSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { processStartTime } from '../../../src/platform/process/process-identity.ts';
import {
  acquireEmbeddedRedis,
  findRunningEmbeddedRedis,
} from '../../../src/redis/embedded/embedded-redis.ts';
import { newDataDir, redisOptionsFor, serverPid, withRedis } from '../../support/embedded-redis-data.ts';
import { rememberingLog } from '../../support/record-rig.ts';
import { startRedisUser } from '../../support/redis-user-process.ts';

test('starts a server that only its owner can reach, through a unix socket, with nothing to lose', async () => {
  const dataDir = await newDataDir();
  const redis = await acquireEmbeddedRedis(redisOptionsFor(dataDir));

  expect(redis.socketPath.startsWith(join(dataDir, 'redis'))).toBe(true);
  expect((await stat(join(dataDir, 'redis'))).mode & 0o777).toBe(0o700);
  expect((await stat(redis.socketPath)).mode & 0o777).toBe(0o700);
  const settings = await withRedis(redis.socketPath, async (client) => {
    const names = ['port', 'appendonly', 'appendfsync', 'maxmemory-policy', 'save'];
    return await Promise.all(names.map((name) => client.config('GET', name)));
  });
  expect(Object.fromEntries(settings as [string, string][])).toEqual({
    port: '0',
    appendonly: 'yes',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
    save: '',
  });
  await redis.release();
});

test('the last user stops the server, keeps its data, and leaves neither socket nor pid file', async () => {
  const dataDir = await newDataDir();
  const redis = await acquireEmbeddedRedis(redisOptionsFor(dataDir));
  const pid = await serverPid(dataDir);
  await withRedis(redis.socketPath, (client) => client.set('key', 'kept'));

  await redis.release();

  expect(pid === null ? 'no pid on record' : processStartTime(pid)).toBeNull();
  expect(existsSync(redis.socketPath)).toBe(false);
  expect(await serverPid(dataDir)).toBeNull();
  expect(await readdir(join(dataDir, 'redis', 'users'))).toEqual([]);
  const again = await acquireEmbeddedRedis(redisOptionsFor(dataDir));
  expect(await withRedis(again.socketPath, (client) => client.get('key'))).toBe('kept');
  await again.release();
});

test('an append-only file that is damaged is set aside, and said; the server begins empty', async () => {
  const dataDir = await newDataDir();
  const redis = await acquireEmbeddedRedis(redisOptionsFor(dataDir));
  await withRedis(redis.socketPath, async (client) => {
    for (let index = 0; index < 50; index += 1) await client.set(`key${index}`, 'x'.repeat(100));
  });
  await redis.release();
  const files = await readdir(join(dataDir, 'redis'), { recursive: true });
  const increment = join(
    dataDir,
    'redis',
    files.find((name) => /\.incr\.aof$|appendonly\.aof$/.test(name)) ?? '',
  );
  const bytes = await readFile(increment);
  const middle = Math.floor(bytes.length / 2);
  bytes.fill(0x21, middle, middle + 300);
  await writeFile(increment, bytes);

  const log = rememberingLog();
  const again = await acquireEmbeddedRedis({ ...redisOptionsFor(dataDir), log });
  expect(await withRedis(again.socketPath, (client) => client.dbsize())).toBe(0);
  await again.release();
  const warned = log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
  expect(warned).toEqual([expect.stringContaining('is damaged: it was set aside')]);
  expect((await readdir(join(dataDir, 'redis'))).filter((name) => name.includes('.broken-'))).toHaveLength(1);
});

test('two uses in one process share the server, and releasing one twice does not take the other away', async () => {
  const dataDir = await newDataDir();
  const [first, second] = await Promise.all([
    acquireEmbeddedRedis(redisOptionsFor(dataDir)),
    acquireEmbeddedRedis(redisOptionsFor(dataDir)),
  ]);
  expect(second.socketPath).toBe(first.socketPath);

  await Promise.all([first.release(), first.release()]);

  expect(await withRedis(second.socketPath, (client) => client.ping())).toBe('PONG');
  await second.release();
  expect(await findRunningEmbeddedRedis(dataDir)).toBeNull();
});

test('a second process attaches; the first one leaving does not stop the server, the second one does', async () => {
  const dataDir = await newDataDir();
  const first = await startRedisUser(dataDir);
  const pid = await serverPid(dataDir);
  const second = await startRedisUser(dataDir);

  await first.release();

  expect(await serverPid(dataDir)).toBe(pid);
  expect(await withRedis(second.socketPath, (client) => client.ping())).toBe('PONG');
  await second.release();
  expect(await findRunningEmbeddedRedis(dataDir)).toBeNull();
});

test('a server whose user was killed is adopted with its data, and stopped by the adopter', async () => {
  const dataDir = await newDataDir();
  const owner = await startRedisUser(dataDir);
  await withRedis(owner.socketPath, (client) => client.set('key', 'left behind'));
  const pid = await serverPid(dataDir);

  await owner.kill('SIGKILL');
  const adopter = await acquireEmbeddedRedis(redisOptionsFor(dataDir));

  expect(await serverPid(dataDir)).toBe(pid);
  expect(await withRedis(adopter.socketPath, (client) => client.get('key'))).toBe('left behind');
  await adopter.release();
  expect(await findRunningEmbeddedRedis(dataDir)).toBeNull();
});

test('processes that start together end up with one server', async () => {
  const dataDir = await newDataDir();
  const users = await Promise.all(Array.from({ length: 4 }, () => startRedisUser(dataDir)));

  expect(new Set(users.map((user) => user.socketPath)).size).toBe(1);
  expect(await readdir(join(dataDir, 'redis', 'users'))).toHaveLength(4);
  const socketPath = users[0]?.socketPath ?? '';
  const pid = await withRedis(
    socketPath,
    async (client) => /process_id:(\d+)/.exec(await client.info())?.[1],
  );
  expect(Number(pid)).toBe(await serverPid(dataDir));

  await Promise.all(users.map((user) => user.release()));
  expect(await findRunningEmbeddedRedis(dataDir)).toBeNull();
});

test('after a SIGKILL of the server every user may restart it: one new server, same socket, data kept', async () => {
  const dataDir = await newDataDir();
  const here = await acquireEmbeddedRedis(redisOptionsFor(dataDir));
  const there = await startRedisUser(dataDir);
  await withRedis(here.socketPath, (client) => client.set('key', 'in the append-only file'));
  const killed = await serverPid(dataDir);
  const { socketPath } = here;
  if (killed === null) throw new Error('no server on record');
  process.kill(killed, 'SIGKILL');

  await Promise.all([here.restart(), here.restart(), there.restart()]);

  expect(here.socketPath).toBe(socketPath);
  expect(await serverPid(dataDir)).not.toBe(killed);
  expect(await withRedis(socketPath, (client) => client.get('key'))).toBe('in the append-only file');
  await there.release();
  await here.release();
  expect(await findRunningEmbeddedRedis(dataDir)).toBeNull();
});

test('Ctrl-C in the terminal ends the process and not the server', async () => {
  const dataDir = await newDataDir();
  const user = await startRedisUser(dataDir);

  await user.interruptGroup();

  expect(await findRunningEmbeddedRedis(dataDir)).toEqual({ socketPath: user.socketPath });
  expect(await withRedis(user.socketPath, (client) => client.ping())).toBe('PONG');
});

test('looking for a server never starts one and makes no folder', async () => {
  const dataDir = await newDataDir();

  expect(await findRunningEmbeddedRedis(dataDir)).toBeNull();
  expect(existsSync(dataDir)).toBe(false);

  const redis = await acquireEmbeddedRedis(redisOptionsFor(dataDir));
  expect(await findRunningEmbeddedRedis(dataDir)).toEqual({ socketPath: redis.socketPath });
  await redis.release();
  expect(await findRunningEmbeddedRedis(dataDir)).toBeNull();
  expect(await serverPid(dataDir)).toBeNull();
});

test('restart after release starts nothing', async () => {
  const dataDir = await newDataDir();
  const redis = await acquireEmbeddedRedis(redisOptionsFor(dataDir));
  await redis.release();

  await redis.restart();

  expect(await findRunningEmbeddedRedis(dataDir)).toBeNull();
});
