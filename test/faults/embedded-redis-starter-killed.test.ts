import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { processArguments } from '../../src/platform/process/process-identity.ts';
import { acquireEmbeddedRedis, findRunningEmbeddedRedis } from '../../src/redis/embedded/embedded-redis.ts';
import { newDataDir, redisOptionsFor, serverPid, withRedis } from '../support/embedded-redis-data.ts';

const userScript = fileURLToPath(new URL('../support/redis-user-process.ts', import.meta.url));

/** Every process that runs a server on this data folder, whoever recorded it. Linux only: it reads /proc. */
function serversOn(dataDir: string): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => processArguments(pid)?.includes(join(dataDir, 'redis', 'redis.conf')) === true);
}

/** Resolves in the very turn of the event loop that sees it. */
async function appearance(folder: string, isIt: (name: string) => boolean): Promise<void> {
  for (;;) {
    try {
      if (readdirSync(folder).some(isIt)) return;
    } catch {
      // Not made yet.
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test.skipIf(process.platform !== 'linux').each([
  ['took the lock', '.', 'lock.1'],
  ['registered itself', 'users', null],
  ['wrote the configuration', '.', 'redis.conf'],
  ['launched the server', '.', 'server.pid'],
  ['saw the socket', '.', 'redis.sock'],
  ['gave the lock back', '.', 'lock.1.free'],
])(
  'a starter killed right after it %s leaves no second server to the next one',
  async (_moment, below, name) => {
    const dataDir = await newDataDir();
    const starter = spawn(process.execPath, [userScript, dataDir], { stdio: ['pipe', 'ignore', 'inherit'] });
    onTestFinished(() => void starter.kill('SIGKILL'));
    const exited = once(starter, 'exit');
    await appearance(join(dataDir, 'redis', below), (found) => name === null || found === name);
    starter.kill('SIGKILL');
    await exited;

    const redis = await acquireEmbeddedRedis(redisOptionsFor(dataDir));

    expect(serversOn(dataDir)).toEqual([await serverPid(dataDir)]);
    expect(await withRedis(redis.socketPath, (client) => client.set('key', 'value'))).toBe('OK');
    await redis.release();
    expect(serversOn(dataDir)).toEqual([]);
    expect(await findRunningEmbeddedRedis(dataDir)).toBeNull();
  },
);
