/**
 * A Redis of a test's own on a unix socket in a temp folder: never the machine's, never shared between files.
 * `stop` and `start` again keep the data (AOF); `kill` is a SIGKILL.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export interface TestRedis {
  readonly socketPath: string;
  /** A new connection; closed by `close`. */
  connect(): Redis;
  start(): Promise<void>;
  /** It accepts connections and commands, and answers none of them, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Remembers what it holds now. */
  keepSnapshot(): Promise<void>;
  /** The next start finds what was remembered; it must not run. */
  goBackToSnapshot(): Promise<void>;
  /** Ends the server at once; data up to the last fsync stays. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

export async function startTestRedis(): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'sw-redis-'));
  const socketPath = join(dir, 'r.sock');
  const connections: Redis[] = [];
  let server: ChildProcess | null = null;

  async function start(): Promise<void> {
    const args = [
      '--port',
      '0',
      '--unixsocket',
      socketPath,
      '--dir',
      dir,
      '--appendonly',
      'yes',
      '--save',
      '',
    ];
    const child = spawn('redis-server', [...args, '--maxmemory-policy', 'noeviction'], { stdio: 'ignore' });
    server = child;
    await answers(socketPath, child);
  }

  async function kill(): Promise<void> {
    if (server === null) return;
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    await exited;
    server = null;
    await rm(socketPath, { force: true });
  }

  await start();
  return {
    socketPath,
    connect() {
      const connection = new Redis({
        path: socketPath,
        maxRetriesPerRequest: null,
        retryStrategy: (times) => Math.min(times * 20, 200),
      });
      connection.on('error', () => undefined);
      connections.push(connection);
      return connection;
    },
    start,
    freeze: () => void server?.kill('SIGSTOP'),
    thaw: () => void server?.kill('SIGCONT'),
    kill,
    async keepSnapshot() {
      await rm(`${dir}.kept`, { recursive: true, force: true });
      await cp(dir, `${dir}.kept`, { recursive: true, filter: (path) => !path.endsWith('.sock') });
    },
    async goBackToSnapshot() {
      await rm(dir, { recursive: true, force: true });
      await cp(`${dir}.kept`, dir, { recursive: true });
    },
    async close() {
      for (const connection of connections) connection.disconnect();
      await kill();
      await rm(dir, { recursive: true, force: true });
      await rm(`${dir}.kept`, { recursive: true, force: true });
    },
  };
}

/** Resolves once the server answers PING with PONG (it answers LOADING before that). */
async function answers(socketPath: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 3_000; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`redis-server ended with code ${child.exitCode}`);
    if (await ping(socketPath)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('redis-server did not answer within a minute');
}

function ping(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', (data) => {
      socket.destroy();
      resolve(data.toString().startsWith('+PONG'));
    });
  });
}
