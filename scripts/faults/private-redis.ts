import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { processArguments } from '../../src/platform/process/process-identity.ts';

/** The private Redis of a round, as something to strike. */
export interface PrivateRedis {
  /** Pid of the server on record, if it runs on this very data folder. */
  pid(): number | null;
  signal(name: NodeJS.Signals): boolean;
  /** FLUSHALL; false when nobody answers. */
  flush(): Promise<boolean>;
  /** Deletes what it has on disk. The server must be dead. */
  wipe(): Promise<void>;
}

const ANSWER_MS = 2_000;

/** Of a data folder. */
export function privateRedisOf(dataDir: string): PrivateRedis {
  const folder = join(dataDir, 'redis');

  function pid(): number | null {
    try {
      const found = Number(readFileSync(join(folder, 'server.pid'), 'utf8').trim());
      // Its configuration file lies here: no other process can be meant.
      const isOurs = processArguments(found)?.some((argument) => argument.includes(folder)) === true;
      return isOurs ? found : null;
    } catch {
      return null;
    }
  }

  return {
    pid,
    signal(name) {
      const found = pid();
      if (found === null) return false;
      try {
        return process.kill(found, name);
      } catch {
        return false;
      }
    },
    flush: () => ask(join(folder, 'redis.sock'), 'FLUSHALL'),
    wipe: () => rm(join(folder, 'appendonlydir'), { recursive: true, force: true }),
  };
}

function ask(socketPath: string, command: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    const end = (answered: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    };
    const timer = setTimeout(() => end(false), ANSWER_MS);
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.on('connect', () => socket.write(`${command}\r\n`));
    socket.on('data', (data) => end(data.toString().startsWith('+OK')));
  });
}
