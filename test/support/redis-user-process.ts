/**
 * Other processes that use the private Redis of a data folder. Run as a script it is such a process; imported it
 * starts them. A process says `{"socketPath"}` once it has joined, leaves on `release`, and starts its server again
 * on `restart`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { silentLog } from '../../src/domain/log.ts';
import { systemClock } from '../../src/platform/waiting/clock.ts';
import { acquireEmbeddedRedis } from '../../src/redis/embedded/embedded-redis.ts';

export interface RedisUserProcess {
  readonly pid: number;
  readonly socketPath: string;
  /** Leaves in order and waits for the process to end. */
  release(): Promise<void>;
  restart(): Promise<void>;
  /** To the process alone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** What a terminal does on Ctrl-C: to every process of the group. */
  interruptGroup(): Promise<void>;
}

/** Starts a process in its own group and waits until it has joined. */
export async function startRedisUser(dataDir: string): Promise<RedisUserProcess> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), dataDir], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('the process did not start');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { socketPath } = (await answerOf(lines)) as { socketPath: string };
  return {
    pid,
    socketPath,
    async release() {
      child.stdin.write('release\n');
      await ended(child);
    },
    async restart() {
      child.stdin.write('restart\n');
      await answerOf(lines);
    },
    async kill(signal) {
      child.kill(signal);
      await ended(child);
    },
    async interruptGroup() {
      process.kill(-pid, 'SIGINT');
      await ended(child);
    },
  };
}

async function answerOf(lines: AsyncIterator<string>): Promise<unknown> {
  const { done, value } = await lines.next();
  if (done === true) throw new Error('the process ended before it answered');
  return JSON.parse(value);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function use(dataDir: string): Promise<void> {
  const redis = await acquireEmbeddedRedis({ dataDir, log: silentLog, env: process.env, clock: systemClock });
  const { socketPath } = redis;
  process.stdout.write(`${JSON.stringify({ socketPath })}\n`);
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'restart') {
      await redis.restart();
      process.stdout.write(`${JSON.stringify({ socketPath: redis.socketPath })}\n`);
    }
    if (line === 'release') break;
  }
  await redis.release();
  process.exit(0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await use(process.argv[2] ?? '');
