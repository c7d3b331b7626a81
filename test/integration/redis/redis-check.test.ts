import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { silentLog } from '../../../src/domain/log.ts';
import { probeRedisSocket } from '../../../src/redis/embedded/embedded-redis-probe.ts';
import { checkRedis } from '../../../src/redis/redis-check.ts';
import { openRedis } from '../../../src/redis/redis-connection.ts';

async function startServer(...settings: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sw-check-'));
  const socketPath = join(folder, 'r.sock');
  const server = spawn(
    'redis-server',
    ['--port', '0', '--unixsocket', socketPath, '--dir', folder, ...settings],
    {
      stdio: 'ignore',
    },
  );
  onTestFinished(async () => {
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    await exited;
    await rm(folder, { recursive: true, force: true });
  });
  await vi.waitFor(async () => expect(await probeRedisSocket(socketPath, 1000)).toBe('ready'), 10_000);
  return socketPath;
}

/** Answers each command as told; null is silence. */
async function startPretender(answer: (command: string) => string | null): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      for (const command of data.toString().match(/^(HELLO|CLIENT|INFO|CONFIG|SELECT)$/gim) ?? []) {
        const text = answer(command.toUpperCase());
        if (text !== null) socket.write(text);
      }
    });
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? `127.0.0.1:${address.port}` : '';
}

function servingInfo(info: string): (command: string) => string {
  return (command) => {
    if (command === 'INFO') return `$${info.length}\r\n${info}\r\n`;
    return command === 'CLIENT' ? '+OK\r\n' : `-ERR unknown command '${command}'\r\n`;
  };
}

test('a Redis that keeps everything passes without a warning', async () => {
  const socketPath = await startServer('--appendonly', 'yes', '--save', '');
  const check = await checkRedis({ socketPath });
  expect(check.version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(check.warnings).toEqual([]);
  expect(await checkRedis({ url: `unix://${socketPath}` })).toEqual(check);
});

test('eviction and missing persistence are warned about, each with its fix', async () => {
  const socketPath = await startServer('--save', '', '--maxmemory-policy', 'allkeys-lru');
  const { warnings } = await checkRedis({ socketPath });
  expect(warnings).toEqual([
    expect.stringMatching(/allkeys-lru.*set it to noeviction/),
    expect.stringMatching(/persistence off.*appendonly yes/),
  ]);
});

test('snapshots alone are warned about, with how far back they go', async () => {
  const socketPath = await startServer('--save', '3600 1 300 100');
  expect((await checkRedis({ socketPath })).warnings).toEqual([
    expect.stringMatching(/goes back by up to 1h .*sent twice.*set appendonly yes/),
  ]);
});

test('a wrong password is told without telling the password', async () => {
  const address = await startPretender(
    () => '-WRONGPASS invalid username-password pair or user is disabled.\r\n',
  );

  const failure = await checkRedis({ url: `redis://someone:open-sesame@${address}` }).catch(
    (e: unknown) => e,
  );

  expect(failure).toMatchObject({
    code: 'redis_password_wrong',
    message: expect.stringMatching(/redis:\/\/127\.0\.0\.1:\d+ .*WRONGPASS/),
  });
  const everything =
    JSON.stringify(failure, Object.getOwnPropertyNames(failure)) + String((failure as Error).cause);
  expect(everything).not.toContain('open-sesame');
  expect(everything).not.toContain('someone');
});

test('nobody there is redis_unreachable, with the system’s reason', async () => {
  await expect(checkRedis({ socketPath: '/nonexistent/redis.sock' })).rejects.toMatchObject({
    code: 'redis_unreachable',
    message: expect.stringContaining('ENOENT'),
  });
});

test('a server that accepts and never answers is given up at the deadline', async () => {
  const url = `redis://${await startPretender(() => null)}`;
  await expect(checkRedis({ url }, { deadlineMs: 100 })).rejects.toMatchObject({
    code: 'redis_unreachable',
    message: expect.stringContaining('no answer within 100 ms'),
  });
});

test('a server older than 6.2 is refused with its version', async () => {
  const url = `redis://${await startPretender(servingInfo('# Server\r\nredis_version:6.0.16\r\nloading:0\r\n'))}`;
  await expect(checkRedis({ url })).rejects.toMatchObject({
    code: 'redis_too_old',
    details: { version: '6.0.16' },
  });
});

test('a service that hides its settings gets a careful warning', async () => {
  const info = 'redis_version:7.1.0\r\nloading:0\r\nmaxmemory_policy:noeviction\r\naof_enabled:0\r\n';
  const { warnings } = await checkRedis({ url: `redis://${await startPretender(servingInfo(info))}` });
  expect(warnings).toEqual([expect.stringContaining('does not tell whether it makes snapshots')]);
});

test('an opened connection says once that it is down and once that it is back', async () => {
  const said: string[] = [];
  const log = {
    ...silentLog,
    warn: (_: unknown, message: string) => void said.push(message),
    info: (_: unknown, message: string) => void said.push(message),
  };
  const folder = await mkdtemp(join(tmpdir(), 'sw-open-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const socketPath = join(folder, 'late.sock');
  const connection = openRedis({ socketPath }, 'producer', log);
  onTestFinished(() => connection.disconnect());
  const answer = connection.ping();
  await vi.waitFor(() => expect(said).toEqual(['redis connection lost, reconnecting']), 15_000);

  const server = spawn(
    'redis-server',
    ['--port', '0', '--unixsocket', socketPath, '--dir', folder, '--save', ''],
    { stdio: 'ignore' },
  );
  onTestFinished(() => void server.kill('SIGKILL'));

  expect(await answer).toBe('PONG');
  expect(said).toEqual(['redis connection lost, reconnecting', 'redis connection is back']);
});
