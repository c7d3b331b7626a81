import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';

/** Where one private Redis keeps its things: all below `<dataDir>/redis`, but for a socket whose path would be too long. */
export interface RedisPlace {
  readonly folder: string;
  readonly configFile: string;
  readonly logFile: string;
  /** Written by the server's own process before it becomes the server. */
  readonly pidFile: string;
  /** One empty file per live user. */
  readonly usersFolder: string;
  /** Holds the socket's path when that is not the usual one. */
  readonly socketNote: string;
}

/** sun_path holds 104 bytes on macOS and 108 on Linux, the closing NUL included. */
const MAX_SOCKET_PATH_BYTES = 100;
const SOCKET_NAME = 'redis.sock';
const OWNER_ONLY = 0o700;

/**
 * Makes the folders, for their owner only.
 * Throws SlipwayError `data_dir`.
 */
export function prepareRedisPlace(dataDir: string): RedisPlace {
  try {
    mkdirSync(dataDir, { recursive: true, mode: OWNER_ONLY });
    const place = placeBelow(dataDir);
    mkdirSync(place.usersFolder, { recursive: true, mode: OWNER_ONLY });
    chmodSync(place.folder, OWNER_ONLY);
    return place;
  } catch (error) {
    throw new SlipwayError('data_dir', { path: dataDir, reason: reasonOf(error) }, { cause: error });
  }
}

/** The place as it is, null where there is none. Makes nothing. */
export function findRedisPlace(dataDir: string): RedisPlace | null {
  try {
    const place = placeBelow(dataDir);
    return lstatSync(place.folder).isDirectory() ? place : null;
  } catch {
    return null;
  }
}

/** Two spellings of one data folder must meet at one server, so the real path counts. */
function placeBelow(dataDir: string): RedisPlace {
  const folder = join(realpathSync(dataDir), 'redis');
  return {
    folder,
    configFile: join(folder, 'redis.conf'),
    logFile: join(folder, 'redis.log'),
    pidFile: join(folder, 'server.pid'),
    usersFolder: join(folder, 'users'),
    socketNote: join(folder, 'socket-path'),
  };
}

/** The socket others have settled on, null when nobody has yet. */
export function knownSocketPath(place: RedisPlace): string | null {
  const usual = usualSocketPath(place);
  if (fits(usual)) return usual;
  try {
    return readFileSync(place.socketNote, 'utf8').trim() || null;
  } catch {
    return null;
  }
}

/** The socket to listen on; settles on one and notes it. Call it under the lock. */
export function settleSocketPath(place: RedisPlace, env: NodeJS.ProcessEnv): string {
  const known = knownSocketPath(place);
  if (known !== null && (known === usualSocketPath(place) || isPrivateFolder(dirname(known)))) return known;
  const path = join(madeShortFolder(known, env), SOCKET_NAME);
  writeFileSync(place.socketNote, `${path}\n`, { mode: 0o600 });
  return path;
}

/** Leaves nothing in the temporary folder once the server has stopped. Call it under the lock. */
export function forgetSocketPath(place: RedisPlace): void {
  const path = knownSocketPath(place);
  if (path === null) return;
  quietly(() => unlinkSync(path));
  if (path === usualSocketPath(place)) return;
  quietly(() => rmdirSync(dirname(path)));
  quietly(() => unlinkSync(place.socketNote));
}

/** Removes a socket nobody listens on. Call it under the lock. */
export function removeStaleSocket(path: string): void {
  quietly(() => unlinkSync(path));
}

/** A folder swept out of the temporary one is made again under its name: live connections know only that. */
function madeShortFolder(known: string | null, env: NodeJS.ProcessEnv): string {
  if (known !== null) {
    try {
      mkdirSync(dirname(known), { mode: OWNER_ONLY });
      return dirname(known);
    } catch {
      // Someone else has taken the name since: take another.
    }
  }
  const base = env.TMPDIR ?? '/tmp';
  const room = '/slipway-XXXXXX/'.length + SOCKET_NAME.length;
  return mkdtempSync(
    join(Buffer.byteLength(base) + room <= MAX_SOCKET_PATH_BYTES ? base : '/tmp', 'slipway-'),
  );
}

/** The temporary folder belongs to everyone: what lies there under our name need not be ours. */
function isPrivateFolder(path: string): boolean {
  try {
    const stat = lstatSync(path);
    return stat.isDirectory() && stat.uid === process.getuid?.() && (stat.mode & 0o077) === 0;
  } catch {
    return false;
  }
}

function usualSocketPath(place: RedisPlace): string {
  return join(place.folder, SOCKET_NAME);
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES;
}

function quietly(remove: () => void): void {
  try {
    remove();
  } catch {
    // Gone already, or not ours to remove: the next start looks again.
  }
}
