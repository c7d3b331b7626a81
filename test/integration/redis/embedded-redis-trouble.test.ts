import { existsSync } from 'node:fs';
import { link, mkdir, readdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { processStartTime } from '../../../src/platform/process/process-identity.ts';
import {
  acquireEmbeddedRedis,
  EMBEDDED_REDIS_DEADLINES,
  findRunningEmbeddedRedis,
} from '../../../src/redis/embedded/embedded-redis.ts';
import { newDataDir, redisOptionsFor, serverPid, withRedis } from '../../support/embedded-redis-data.ts';
import { fakeRedisPath } from '../../support/fake-redis-server.ts';

test('a socket left behind by a dead server is cleaned up', async () => {
  const dataDir = await newDataDir();
  await mkdir(join(dataDir, 'redis'), { recursive: true });
  const socketPath = join(dataDir, 'redis', 'redis.sock');
  // The file outlives its listener when it is linked under a second name.
  const listener = createServer().listen(`${socketPath}.old`);
  await new Promise((resolve) => listener.once('listening', resolve));
  await link(`${socketPath}.old`, socketPath);
  await new Promise((resolve) => listener.close(resolve));
  await writeFile(join(dataDir, 'redis', 'server.pid'), `${process.pid}\n`);
  expect(existsSync(socketPath)).toBe(true);
  expect(await findRunningEmbeddedRedis(dataDir)).toBeNull();

  const redis = await acquireEmbeddedRedis(redisOptionsFor(dataDir));

  expect(redis.socketPath).toBe(socketPath);
  expect(await withRedis(socketPath, (client) => client.ping())).toBe('PONG');
  await redis.release();
});

test('a data folder too deep for a socket gets one in the temporary folder, which others find and the last removes', async () => {
  const dataDir = join(await newDataDir(), 'd'.repeat(120));
  const first = await acquireEmbeddedRedis(redisOptionsFor(dataDir));
  const second = await acquireEmbeddedRedis(redisOptionsFor(dataDir));

  expect(Buffer.byteLength(first.socketPath)).toBeLessThanOrEqual(100);
  expect(second.socketPath).toBe(first.socketPath);
  expect(await findRunningEmbeddedRedis(dataDir)).toEqual({ socketPath: first.socketPath });
  expect(await withRedis(second.socketPath, (client) => client.ping())).toBe('PONG');

  await first.release();
  await second.release();
  expect(existsSync(dirname(first.socketPath))).toBe(false);
  expect(await findRunningEmbeddedRedis(dataDir)).toBeNull();
});

test('a folder name with spaces, quotes and other scripts works', async () => {
  const dataDir = join(await newDataDir(), `a "b" 'c' \\ 文件`);
  const redis = await acquireEmbeddedRedis(redisOptionsFor(dataDir));
  expect(await withRedis(redis.socketPath, (client) => client.ping())).toBe('PONG');
  await redis.release();
});

test('a server whose socket file was deleted is replaced, never doubled', async () => {
  const dataDir = await newDataDir();
  const redis = await acquireEmbeddedRedis(redisOptionsFor(dataDir), {
    ...EMBEDDED_REDIS_DEADLINES,
    startMs: 2_500,
  });
  const before = await serverPid(dataDir);
  await withRedis(redis.socketPath, (client) => client.set('key', 'kept'));
  await unlink(redis.socketPath);

  await redis.restart();

  expect(before === null ? 'no pid on record' : processStartTime(before)).toBeNull();
  expect(await withRedis(redis.socketPath, (client) => client.get('key'))).toBe('kept');
  await redis.release();
});

test('a server whose pid file was lost is recognised and stopped all the same', async () => {
  const dataDir = await newDataDir();
  const redis = await acquireEmbeddedRedis(redisOptionsFor(dataDir));
  const pid = await serverPid(dataDir);
  await rm(join(dataDir, 'redis', 'server.pid'));

  const second = await acquireEmbeddedRedis(redisOptionsFor(dataDir));
  expect(await serverPid(dataDir)).toBe(pid);

  await redis.release();
  await second.release();
  expect(pid === null ? 'no pid on record' : processStartTime(pid)).toBeNull();
});

test('a data folder removed while in use does not leave a server behind', async () => {
  const dataDir = await newDataDir();
  const redis = await acquireEmbeddedRedis(redisOptionsFor(dataDir));
  const pid = await serverPid(dataDir);
  await rm(dataDir, { recursive: true });

  await redis.release();

  expect(pid === null ? 'no pid on record' : processStartTime(pid)).toBeNull();
});

test('without a server binary the error names the install command of this system', async () => {
  const dataDir = await newDataDir();
  await expect(acquireEmbeddedRedis(redisOptionsFor(dataDir, { PATH: '' }))).rejects.toMatchObject({
    code: 'redis_binary_missing',
    message: expect.stringMatching(/no redis-server or valkey-server found: .*(run `|install the package)/),
  });
  expect(await readdir(join(dataDir, 'redis', 'users'))).toEqual([]);
});

test('valkey-server serves where there is no redis-server', async () => {
  const dataDir = await newDataDir();
  const bin = await fakeRedisPath(dirname(dataDir), 'loading');
  await rename(join(bin, 'redis-server'), join(bin, 'valkey-server'));

  const redis = await acquireEmbeddedRedis(redisOptionsFor(dataDir, { PATH: bin }));
  expect(await findRunningEmbeddedRedis(dataDir)).toEqual({ socketPath: redis.socketPath });
  await redis.release();
});

test('a binary older than 6.2 is refused by its version, before it runs', async () => {
  const dataDir = await newDataDir();
  const PATH = await fakeRedisPath(dirname(dataDir), 'old');
  await expect(acquireEmbeddedRedis(redisOptionsFor(dataDir, { PATH }))).rejects.toMatchObject({
    code: 'redis_too_old',
    details: { version: '6.0.16' },
  });
  expect(await serverPid(dataDir)).toBeNull();
});

test('a server that is still reading its data back is waited for', async () => {
  const dataDir = await newDataDir();
  const PATH = await fakeRedisPath(dirname(dataDir), 'loading');
  const redis = await acquireEmbeddedRedis(redisOptionsFor(dataDir, { PATH }));
  expect(await findRunningEmbeddedRedis(dataDir)).toEqual({ socketPath: redis.socketPath });
  await redis.release();
});

test('a server that never listens is ended at the deadline, and nothing of it stays', async () => {
  const dataDir = await newDataDir();
  const PATH = await fakeRedisPath(dirname(dataDir), 'hang');
  const starting = acquireEmbeddedRedis(redisOptionsFor(dataDir, { PATH }), {
    ...EMBEDDED_REDIS_DEADLINES,
    startMs: 3_000,
  });
  const failed = expect(starting).rejects.toMatchObject({
    code: 'redis_start_failed',
    message: expect.stringContaining('did not answer within 3000 ms'),
  });
  const pid = await vi.waitFor(async () => {
    const found = await serverPid(dataDir);
    if (found === null) throw new Error('not on record yet');
    return found;
  });

  await failed;

  expect(processStartTime(pid)).toBeNull();
  expect(await readdir(join(dataDir, 'redis', 'users'))).toEqual([]);
});

test('a server that cannot start is quoted in the error, and its log is named', async () => {
  const dataDir = await newDataDir();
  const PATH = await fakeRedisPath(dirname(dataDir), 'fail');
  await expect(acquireEmbeddedRedis(redisOptionsFor(dataDir, { PATH }))).rejects.toMatchObject({
    code: 'redis_start_failed',
    message: expect.stringContaining('Bad file format reading the append only file'),
    details: { log: join(dataDir, 'redis', 'redis.log') },
  });
});

test('a data folder that cannot be made is named with the reason', async () => {
  const dataDir = await newDataDir();
  await mkdir(dataDir, { recursive: true });
  await writeFile(join(dataDir, 'file'), '');
  await expect(acquireEmbeddedRedis(redisOptionsFor(join(dataDir, 'file', 'data')))).rejects.toMatchObject({
    code: 'data_dir',
  });
});

test('the server gets none of our environment but PATH', async () => {
  const dataDir = await newDataDir();
  const redis = await acquireEmbeddedRedis(
    redisOptionsFor(dataDir, { ...process.env, SECRET_TOKEN: 'sk-secret' }),
  );
  const pid = await serverPid(dataDir);
  if (process.platform === 'linux') {
    expect(await readFile(`/proc/${pid}/environ`, 'utf8')).not.toContain('sk-secret');
  }
  await redis.release();
});
