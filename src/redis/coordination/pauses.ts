import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import {
  decodePauses,
  encodePauses,
  isSameList,
  NOTHING_PAUSED,
  newer,
  type Pause,
  type PauseList,
  pauseOf,
  pauseOfBatch,
} from '../../domain/pause-list.ts';
import { writeAtomic } from '../../platform/files/atomic-file.ts';
import type { RedisConnection } from '../redis-access.ts';
import { readPauseRecord, writePauseRecord } from './pause-record.ts';

/** What the user has paused, as a process that works goes by it. */
export interface Pauses {
  /** Why this source may not send now; null: it may. */
  of(plan: { readonly name: string; readonly destination: string }): Pause | null;
  ofDestination(name: string): Pause | null;
  ofBatch(batch: string | null): Pause | null;
  onChange(listener: () => void): void;
  /** Looks at once. */
  look(): void;
  close(): void;
}

const LOOK_EVERY_MS = 1_000;

/**
 * Follows the list in Redis and in the data folder, whichever is newer, and brings the other up to date: a lost Redis
 * does not resume what is paused, and a command finds its way without Redis too. The first look is over when it resolves.
 */
export async function openPauses(options: {
  readonly dataDir: string;
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly log: Log;
}): Promise<Pauses> {
  const { dataDir, connection, prefix, log } = options;
  const listeners = new Set<() => void>();
  let list: PauseList = NOTHING_PAUSED;
  let looking = false;

  async function lookNow(): Promise<void> {
    const kept = await readPauseFile(dataDir);
    const isThere = connection.status === 'ready';
    const shared = isThere ? decodePauses(await readPauseRecord(connection, prefix)) : null;
    const latest = newer(kept, shared);
    if (latest.revision > 0 && !isSameList(latest, kept)) await writePauseFile(dataDir, latest);
    if (isThere && latest.revision > (shared?.revision ?? 0)) await share(connection, prefix, latest);
    if (isSameList(latest, list)) return;
    list = latest;
    for (const listener of listeners) listener();
  }

  async function look(): Promise<void> {
    if (looking) return;
    looking = true;
    await lookNow().catch((error: unknown) =>
      log.debug({ reason: reasonOf(error) }, 'what is paused could not be looked at'),
    );
    looking = false;
  }

  await look();
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  return {
    of: ({ name, destination }) => pauseOf(list, { source: name, destination }),
    ofDestination: (name) => pauseOf(list, { destination: name }),
    ofBatch: (batch) => pauseOfBatch(list, batch),
    onChange: (listener) => void listeners.add(listener),
    look: () => void look(),
    close: () => clearInterval(timer),
  };
}

/** The newer of what Redis and the data folder hold. */
export async function readPauses(
  dataDir: string,
  redis: { readonly connection: RedisConnection; readonly prefix: string } | null,
): Promise<PauseList> {
  const shared = redis === null ? null : await readPauseRecord(redis.connection, redis.prefix);
  return newer(await readPauseFile(dataDir), decodePauses(shared));
}

/**
 * Changes the list, in the data folder and in Redis where there is one.
 * @throws the system's error when the data folder cannot be written
 */
export async function changePauses(
  dataDir: string,
  redis: { readonly connection: RedisConnection; readonly prefix: string } | null,
  change: (list: PauseList) => PauseList,
): Promise<PauseList> {
  for (;;) {
    const before = await readPauses(dataDir, redis);
    const after = change(before);
    if (after.revision !== before.revision) await writePauseFile(dataDir, after);
    // Somebody else changed it meanwhile: once more, on top of that.
    if (
      redis === null ||
      after.revision === before.revision ||
      (await share(redis.connection, redis.prefix, after))
    )
      return after;
  }
}

function share(connection: RedisConnection, prefix: string, list: PauseList): Promise<boolean> {
  return writePauseRecord(connection, prefix, { text: encodePauses(list), revision: list.revision });
}

async function readPauseFile(dataDir: string): Promise<PauseList | null> {
  return decodePauses(await readFile(fileIn(dataDir), 'utf8').catch(() => null));
}

async function writePauseFile(dataDir: string, list: PauseList): Promise<void> {
  await writeAtomic(fileIn(dataDir), `${encodePauses(list)}\n`, { mode: 0o600 });
}

function fileIn(dataDir: string): string {
  return join(dataDir, 'paused.json');
}
