import type { Redis } from 'ioredis';

/** It is gone before anybody could wonder. */
const TRIAL_MS = 1_000;

/**
 * Whether Redis takes what is written under our prefix.
 * @returns null: it does; else its own words (its disk or memory is full, it is a replica, this user may not)
 * @throws when it does not answer
 */
export async function writeRefusal(connection: Redis, prefix: string): Promise<string | null> {
  try {
    await connection.set(`${prefix}:trial`, '1', 'PX', TRIAL_MS);
    return null;
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return error.message;
    throw error;
  }
}
