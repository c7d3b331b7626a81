import type { Redis } from 'ioredis';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { sourceKey } from '../queue-key.ts';

/**
 * Whether other processes than the owner's upload the files of a source. Each of them says so, and what it says expires:
 * carriers are the owner's alone, so that where there are others new files go as jobs of their own, which all share.
 */

const SAY_EVERY_MS = 5_000;
const STANDS_MS = 15_000;
const LOOK_EVERY_MS = 2_000;

/** A worker's end, where the owner is another process. */
export function announceWorker(connection: Redis, prefix: string, source: string): { close(): void } {
  const say = (): void => {
    if (connection.status === 'ready')
      connection.set(key(prefix, source), '1', 'PX', STANDS_MS).catch(() => undefined);
  };
  say();
  const timer = setInterval(say, SAY_EVERY_MS);
  return { close: () => clearInterval(timer) };
}

/** The owner's end. Resolves when it is known for the first time. */
export async function watchForOthers(options: {
  readonly connection: Redis;
  readonly prefix: string;
  readonly source: string;
  readonly log: Log;
}): Promise<{ isShared(): boolean; close(): void }> {
  const { connection, prefix, source, log } = options;
  let shared = false;
  async function look(): Promise<void> {
    shared = (await connection.exists(key(prefix, source))) === 1;
  }
  await look();
  const timer = setInterval(() => {
    if (connection.status !== 'ready') return;
    look().catch((error: unknown) =>
      log.debug({ source, reason: reasonOf(error) }, 'not known whether others serve the source'),
    );
  }, LOOK_EVERY_MS);
  return { isShared: () => shared, close: () => clearInterval(timer) };
}

function key(prefix: string, source: string): string {
  return sourceKey(prefix, source, 'shared');
}
