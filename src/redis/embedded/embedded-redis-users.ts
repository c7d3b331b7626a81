import { readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  formatIdentity,
  isProcessAlive,
  ownIdentity,
  parseIdentity,
} from '../../platform/process/process-identity.ts';

/** One process may use the server more than once (two daemons in one program): each use has its number. */
let uses = 0;

/** A name for one use of the server by this process: `pid-startTime-n`. */
export function newUserName(): string {
  uses += 1;
  return `${formatIdentity(ownIdentity())}-${uses}`;
}

/** Puts a user on record; doing it again is no error. */
export function addUser(usersFolder: string, name: string): void {
  writeFileSync(join(usersFolder, name), '', { mode: 0o600 });
}

/** Takes one user away; taking it twice is no error. */
export function removeUser(usersFolder: string, name: string): void {
  try {
    unlinkSync(join(usersFolder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Sweeps users whose process died without leaving; returns how many live. Call it under the lock. */
export function countLiveUsers(usersFolder: string): number {
  const names = readdirSync(usersFolder);
  const live = names.filter((name) => {
    const identity = parseIdentity(name.replace(/-\d+$/, ''));
    return identity !== null && isProcessAlive(identity);
  });
  for (const name of names) if (!live.includes(name)) removeUser(usersFolder, name);
  return live.length;
}
