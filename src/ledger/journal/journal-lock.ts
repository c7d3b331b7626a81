import { createHash } from 'node:crypto';
import { lstatSync, lutimesSync, mkdirSync, realpathSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { TEMPORARY_PREFIX } from '../../platform/files/atomic-file.ts';
import {
  formatIdentity,
  hostIdentity,
  isProcessAlive,
  ownIdentity,
  parseIdentity,
} from '../../platform/process/process-identity.ts';
import { type LockParties, tryLock } from '../../platform/process/process-lock.ts';

/** For whom a journal is written. */
export interface JournalWriter {
  readonly dataDir: string;
  readonly source: string;
}

interface Holder extends JournalWriter {
  /** What people call it. */
  readonly host: string;
  /** Where its pid means something, see `hostIdentity`. */
  readonly pids: string;
  /** `pid-startTime` */
  readonly process: string;
}

interface Held extends JournalWriter {
  uses: number;
  readonly release: () => void;
}

const RENEW_MS = 5_000;
/** A host that was not heard of for so long is taken for dead; the lease in Redis lasts nearly as long. */
const SILENT_MS = 20_000;
const MOST_TRIES = 100;

/** What this process holds, by the folder of the lock. */
const held = new Map<string, Held>();

/**
 * The right to append to a journal, whatever data folder one has: two ledgers over one journal would each take the
 * other's lines for damage. It lies beside the journal, in a folder with a name that is never ingested; a process of
 * this host that is dead never keeps it, one of another host that is gone for 20 seconds. Several uses for one
 * source of one data folder are one.
 * @returns gives it back
 * @throws SlipwayError `journal_owned` naming who has it
 */
export function lockJournal(journal: string, writer: JournalWriter, log: Log): () => void {
  // Its links need a privilege there.
  if (process.platform === 'win32') return () => undefined;
  const folder = lockFolder(journal);
  const { dataDir, source } = writer;
  const mine = held.get(folder);
  if (mine !== undefined) {
    if (mine.dataDir !== dataDir || mine.source !== source)
      throw owned(journal, {
        ...mine,
        host: hostname(),
        pids: hostIdentity(),
        process: formatIdentity(ownIdentity()),
      });
    mine.uses += 1;
    return once(() => letGo(folder, mine));
  }
  const release = take(folder, journal, { dataDir, source }, log);
  const taken: Held = { dataDir, source, uses: 1, release };
  held.set(folder, taken);
  return once(() => letGo(folder, taken));
}

function letGo(folder: string, mine: Held): void {
  mine.uses -= 1;
  if (mine.uses > 0) return;
  held.delete(folder);
  mine.release();
}

function take(folder: string, journal: string, writer: JournalWriter, log: Log): () => void {
  const own: Holder = {
    ...writer,
    ...{ host: hostname(), pids: hostIdentity(), process: formatIdentity(ownIdentity()) },
  };
  try {
    const attempt = tryIn(folder, partiesOf(own));
    if (attempt.kind === 'held') throw owned(journal, holderOf(attempt.holder) ?? own);
    const renewing = setInterval(() => renew(attempt.path, log), RENEW_MS);
    renewing.unref();
    return () => {
      clearInterval(renewing);
      freed(attempt, journal, log);
    };
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    // A folder that takes no new files, or a file system without links: whether the journal can be written is said by
    // whoever opens it.
    log.debug({ journal, reason: reasonOf(error) }, 'no other data folder can be kept from this journal');
    return () => undefined;
  }
}

/** Whoever ends cleanly takes the folder away, under the hands of one who has just come. */
function tryIn(folder: string, parties: LockParties): ReturnType<typeof tryLock> {
  for (let left = MOST_TRIES; ; left -= 1) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      return tryLock(folder, parties);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (!['ENOENT', 'EEXIST'].includes(code) || left === 0) throw error;
    }
  }
}

function partiesOf(own: Holder): LockParties {
  return {
    own: JSON.stringify(own),
    isAlive(text, path) {
      const holder = holderOf(text);
      if (holder === null) return false;
      if (holder.pids !== own.pids) return Date.now() - lstatSync(path).mtimeMs < SILENT_MS;
      const identity = parseIdentity(holder.process);
      return identity !== null && isProcessAlive(identity);
    },
  };
}

function renew(path: string, log: Log): void {
  try {
    const now = new Date();
    lutimesSync(path, now, now);
  } catch (error) {
    log.debug({ path, reason: reasonOf(error) }, 'the lock of a journal could not be renewed');
  }
}

/** Nothing is left beside the user's files. What can neither be removed nor marked as free the end of the process frees. */
function freed(
  { discard, release }: { readonly discard: () => void; readonly release: () => void },
  journal: string,
  log: Log,
): void {
  for (const give of [discard, release]) {
    try {
      give();
      return;
    } catch (error) {
      log.debug({ journal, reason: reasonOf(error) }, 'the lock of a journal could not be given back');
    }
  }
}

function owned(journal: string, { process: text, host, pids, source, dataDir }: Holder): SlipwayError {
  const pid = parseIdentity(text)?.pid ?? 0;
  return new SlipwayError('journal_owned', { path: journal, pid, host, pids, source, dataDir });
}

function holderOf(text: string): Holder | null {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    return typeof holder?.process === 'string' && typeof holder.pids === 'string' ? (holder as Holder) : null;
  } catch {
    return null;
  }
}

/** One journal has one, however its path is spelled: links on the way are resolved, so is the journal itself. */
function lockFolder(journal: string): string {
  const real = realOf(journal) ?? join(realOf(dirname(journal)) ?? dirname(journal), basename(journal));
  const name = createHash('sha256').update(basename(real)).digest('hex').slice(0, 16);
  return join(dirname(real), `${TEMPORARY_PREFIX}lock-${name}`);
}

function realOf(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
