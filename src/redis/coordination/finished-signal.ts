import type { Redis } from 'ioredis';
import { sourceKey } from '../queue-key.ts';
import { duplicateOf } from '../redis-connection.ts';

/**
 * What an owner and the workers of its source tell one another over Redis when they are different processes. Only
 * hints: the owner polls, and a hold that nobody renews ends by itself.
 */

/** Many jobs finish within a moment; one ring tells of all of them. */
const RING_EVERY_MS = 20;
const HOLD_MS = 15_000;

/** A worker's end: rings when jobs have finished. */
export function finishedSignal(connection: Redis, prefix: string, source: string): { ring(): void } {
  const channel = sourceKey(prefix, source, 'finished');
  let waiting = false;
  return {
    ring() {
      if (waiting || connection.status !== 'ready') return;
      waiting = true;
      setTimeout(() => {
        waiting = false;
        connection.publish(channel, '').catch(() => undefined);
      }, RING_EVERY_MS);
    },
  };
}

/**
 * The owner's end. The connection is the bell's own: one that listens can do nothing else.
 * @throws Redis's error where this user may not listen; the owner would record a second late, always
 */
export async function hearFinished(
  connection: Redis,
  prefix: string,
  source: string,
  onFinished: () => void,
): Promise<{ close(): void }> {
  const listener = duplicateOf(connection);
  listener.on('error', () => undefined);
  listener.on('message', onFinished);
  try {
    await listener.subscribe(sourceKey(prefix, source, 'finished'));
  } catch (error) {
    listener.disconnect();
    throw error;
  }
  return { close: () => listener.disconnect() };
}

/** Asks the workers of other processes to take no more jobs for now (the disk of the owner is full), or no longer to. */
export async function setRecordingPause(
  connection: Redis,
  prefix: string,
  source: string,
  hold: boolean,
): Promise<void> {
  const key = sourceKey(prefix, source, 'hold');
  if (hold) await connection.set(key, '1', 'PX', HOLD_MS);
  else await connection.del(key);
}

/** Whether the owner asks for a pause. */
export async function isRecordingPaused(connection: Redis, prefix: string, source: string): Promise<boolean> {
  return (await connection.exists(sourceKey(prefix, source, 'hold'))) === 1;
}
