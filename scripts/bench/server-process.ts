import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { TOKEN_PATH, UPLOAD_PATH } from './autoglm-api.ts';
import type { ServerCommand, ServerStats } from './strict-server.ts';

/** The far side, in a process of its own. */
export interface ServerProcess {
  readonly uploadUrl: string;
  readonly tokenUrl: string;
  /** What arrived since the last reset. */
  stats(): Promise<ServerStats>;
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** Starts it on 127.0.0.1, port of the system's choice. */
export async function startServer(): Promise<ServerProcess> {
  const child = fork(fileURLToPath(new URL('./strict-server.ts', import.meta.url)), { execArgv: [] });
  const [{ port }] = (await once(child, 'message')) as [AddressInfo];
  const origin = `http://127.0.0.1:${port}`;

  async function ask(command: ServerCommand): Promise<ServerStats> {
    child.send(command);
    const [stats] = (await once(child, 'message')) as [ServerStats];
    return stats;
  }

  return {
    uploadUrl: `${origin}${UPLOAD_PATH}`,
    tokenUrl: `${origin}${TOKEN_PATH}`,
    stats: () => ask('stats'),
    async reset() {
      await ask('reset');
    },
    async close() {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}
