import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../waiting/clock.ts';
import { formatIdentity, isProcessAlive, ownIdentity, parseIdentity } from './process-identity.ts';

export type LockAttempt =
  | { readonly kind: 'taken'; readonly release: () => void }
  | { readonly kind: 'held'; readonly pid: number };

/** Short beside what is done under the lock (starting a server), long beside what a look costs. */
const POLL_MS = 20;

/**
 * A lock between processes that a dead owner never keeps.
 *
 * Each holder takes the next number: `lock.7` is a symbolic link whose target is the owner's pid and start time, since
 * symlink(2) is exclusive and carries its content in the same step. `lock.7.free` marks it as given back. The highest
 * number says who holds the lock and never disappears, only lower ones are removed; so two processes that find the
 * same dead owner both try to make the next number, and one of them fails. Removing the dead owner's file instead
 * would let the slower one remove the faster one's new lock.
 *
 * @param timeoutMs after which the live holder is returned instead
 */
export async function takeProcessLock(folder: string, clock: Clock, timeoutMs: number): Promise<LockAttempt> {
  const deadline = clock.monotonicMs() + timeoutMs;
  for (;;) {
    const attempt = tryProcessLock(folder);
    if (attempt.kind === 'taken' || clock.monotonicMs() >= deadline) return attempt;
    await sleep(POLL_MS);
  }
}

/** One look, no waiting. */
export function tryProcessLock(folder: string): LockAttempt {
  const attempt = tryLock(folder, PROCESSES);
  if (attempt.kind === 'taken') return attempt;
  return { kind: 'held', pid: parseIdentity(attempt.holder)?.pid ?? 0 };
}

/** How a holder is written down, and whether the one who is written down still lives. */
export interface LockParties {
  /** This one; at most 4 KB. */
  readonly own: string;
  /** @param path of the link, whose own time is the holder's to renew */
  isAlive(holder: string, path: string): boolean;
}

/** Processes of this host. */
const PROCESSES: LockParties = {
  get own() {
    return formatIdentity(ownIdentity());
  },
  isAlive(holder) {
    const identity = parseIdentity(holder);
    return identity !== null && isProcessAlive(identity);
  },
};

/**
 * `tryProcessLock` among parties that are more than processes of one host.
 * @throws ENOENT where the folder was discarded meanwhile: make it, and try again
 */
export function tryLock(
  folder: string,
  parties: LockParties,
):
  | {
      readonly kind: 'taken';
      readonly path: string;
      readonly release: () => void;
      /** Instead of `release`: gives it back with the folder, for a lock that leaves nothing behind. */
      readonly discard: () => void;
    }
  | { readonly kind: 'held'; readonly holder: string } {
  // Held open: what is looked at is one folder, although another one may take its place.
  const fd = openSync(folder, 'r');
  try {
    const inside = process.platform === 'linux' ? `/proc/self/fd/${fd}` : folder;
    for (;;) {
      const highest = highestNumber(readdirSync(inside));
      const holder = highest === 0 ? null : liveHolder(inside, highest, parties);
      if (holder !== null) return { kind: 'held', holder };
      const mine = highest + 1;
      if (!claim(inside, mine, parties.own)) continue;
      // A slow look may have found a number that others have since passed and swept away, or a folder put aside.
      const isAside = !isSameFolder(fd, folder);
      if (isAside || highestNumber(readdirSync(inside)) !== mine) {
        remove(join(inside, `lock.${mine}`));
        if (isAside) throw Object.assign(new Error(`${folder} was discarded`), { code: 'ENOENT' });
        continue;
      }
      sweepBelow(inside, mine);
      const path = join(folder, `lock.${mine}`);
      return {
        kind: 'taken',
        path,
        release: () => writeFileSync(`${path}.free`, '', { mode: 0o600 }),
        discard: () => discard(folder),
      };
    }
  } finally {
    closeSync(fd);
  }
}

function isSameFolder(fd: number, folder: string): boolean {
  const [open, there] = [fstatSync(fd), statSync(folder)];
  return open.ino === there.ino && open.dev === there.dev;
}

/** Put aside in one step: who comes now begins a folder of his own, and who was looking finds this one gone. */
function discard(folder: string): void {
  const aside = `${folder}.${process.pid}`;
  renameSync(folder, aside);
  try {
    // Who was looking may put a link into it, and takes that back.
    rmSync(aside, { recursive: true, force: true, maxRetries: 5, retryDelay: 5 });
  } catch {
    // It is given back all the same: its place is another folder's by now.
  }
}

/** Pid of the live process that holds the lock of a folder; null when none does. Changes nothing. */
export function lockHolder(folder: string): number | null {
  if (!existsSync(folder)) return null;
  const highest = highestNumber(readdirSync(folder));
  const holder = highest === 0 ? null : liveHolder(folder, highest, PROCESSES);
  return holder === null ? null : (parseIdentity(holder)?.pid ?? null);
}

function liveHolder(folder: string, number: number, parties: LockParties): string | null {
  const path = join(folder, `lock.${number}`);
  if (existsSync(`${path}.free`)) return null;
  try {
    const holder = readlinkSync(path);
    return parties.isAlive(holder, path) ? holder : null;
  } catch {
    return null;
  }
}

function claim(folder: string, number: number, own: string): boolean {
  try {
    symlinkSync(own, join(folder, `lock.${number}`));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function sweepBelow(folder: string, number: number): void {
  const older = readdirSync(folder).filter((name) => {
    const found = numberOf(name);
    return found !== null && found < number;
  });
  // The link goes before its mark: the other way round a given-back lock would look held for a moment.
  for (const name of older.sort()) remove(join(folder, name));
}

function highestNumber(names: readonly string[]): number {
  return Math.max(0, ...names.map((name) => numberOf(name) ?? 0));
}

function numberOf(name: string): number | null {
  const match = /^lock\.(\d+)(?:\.free)?$/.exec(name);
  return match?.[1] === undefined ? null : Number(match[1]);
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
