import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { probeRedisSocket } from '../../src/redis/embedded/embedded-redis-probe.ts';

/** A Redis that nobody but the harness starts, so that it can really be away. */
export interface OwnRedis {
  readonly url: string;
  /** Ends when it answers. Its data is as it was. */
  start(): Promise<void>;
  kill(): Promise<void>;
}

/** Not started yet. */
export function ownRedis(folder: string): OwnRedis {
  const socket = join(folder, 'own.sock');
  let server: ChildProcess | null = null;
  return {
    url: `unix://${socket}`,
    async start() {
      const args = ['--port', '0', '--unixsocket', socket, '--dir', folder, '--appendonly', 'yes'];
      server = spawn('redis-server', [...args, '--save', '', '--maxmemory-policy', 'noeviction'], {
        stdio: 'ignore',
      });
      while ((await probeRedisSocket(socket, 1_000)) !== 'ready') await delay(10);
    },
    async kill() {
      if (server === null) return;
      const exited = once(server, 'exit');
      server.kill('SIGKILL');
      await exited;
      server = null;
      await rm(socket, { force: true });
    },
  };
}
