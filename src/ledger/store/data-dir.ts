import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { TEMPORARY_PREFIX, writeAtomic } from '../../platform/files/atomic-file.ts';
import { renameToFree } from '../../platform/files/free-name.ts';

/** How the folders and files under dataDir are arranged; one more with every change that an older Slipway cannot read. */
export const DATA_DIR_LAYOUT = 1;

/** Nobody but its owner has anything to look for there: ledgers, queues and logs name files, URLs and people's folders. */
const OWNER_ONLY = 0o700;
const OTHERS = 0o077;

/**
 * Creates the data folder (0700) or checks that this version can read it.
 * @param log whoever starts work closes a folder that is open to others, and says so; null: it is left as it is
 * @throws SlipwayError `data_dir_newer`, `data_dir`
 */
export async function openDataDir(dataDir: string, log: Log | null = null): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: OWNER_ONLY });
    if (log !== null) await closeToOthers(dataDir, log);
    const found = await layoutOf(dataDir);
    if (found === null) await writeAtomic(join(dataDir, 'version'), `${DATA_DIR_LAYOUT}\n`, { mode: 0o600 });
    else if (found > DATA_DIR_LAYOUT) {
      throw new SlipwayError('data_dir_newer', { path: dataDir, found, known: DATA_DIR_LAYOUT });
    }
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    throw new SlipwayError('data_dir', { path: dataDir, reason: reasonOf(error) }, { cause: error });
  }
}

async function closeToOthers(dataDir: string, log: Log): Promise<void> {
  // Modes mean nothing there.
  if (process.platform === 'win32') return;
  const mode = (await stat(dataDir)).mode & 0o777;
  if ((mode & OTHERS) === 0) return;
  const refused = await chmod(dataDir, OWNER_ONLY).then(() => null, reasonOf);
  const facts = { dataDir, mode: `0${mode.toString(8)}` };
  // Some file systems take every mode and keep their own.
  if (refused === null && ((await stat(dataDir)).mode & OTHERS) === 0)
    log.warn(facts, 'the data folder was open to other users of this machine: closed to them (0700)');
  else
    log.warn(
      { ...facts, reason: refused ?? 'this file system keeps no modes' },
      'the data folder is open to other users of this machine and cannot be closed: close it, or set dataDir to a folder of your own',
    );
}

async function layoutOf(dataDir: string): Promise<number | null> {
  const text = await readFile(join(dataDir, 'version'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  const layout = Number(text.trim());
  if (Number.isSafeInteger(layout) && layout > 0) return layout;
  throw new SlipwayError('data_dir', { path: dataDir, reason: 'its file `version` holds no layout number' });
}

/**
 * Names this data folder, and so its ledgers, among all that may share a Redis: random, made once, also by processes
 * that start together. Not an id within the ledger: one that is built again from its journal goes on with its queue.
 * @throws SlipwayError `data_dir`
 */
export async function installationId(dataDir: string): Promise<string> {
  const file = join(dataDir, 'installation');
  const known = await installationIn(file);
  if (known !== null) return known;
  const made = randomBytes(16).toString('hex');
  const draft = join(dataDir, `${TEMPORARY_PREFIX}installation-${made}`);
  try {
    await writeAtomic(draft, `${made}\n`, { mode: 0o600 });
    // Two ids of one folder would be two ledgers: the second is refused the queues that the first has taken.
    if (await renameToFree(Buffer.from(draft), Buffer.from(file))) return made;
    const theirs = await installationIn(file);
    if (theirs !== null) return theirs;
    // What lies there is no id.
    await rename(draft, file);
    return made;
  } catch (error) {
    throw new SlipwayError('data_dir', { path: dataDir, reason: reasonOf(error) }, { cause: error });
  } finally {
    await rm(draft, { force: true });
  }
}

/** null: none, or not a whole one. */
async function installationIn(file: string): Promise<string | null> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return /^[0-9a-f]{32}\n$/.test(text) ? text.trim() : null;
}

/** The folder of one source. Throws SlipwayError `data_dir` for a name that is no folder name. */
export function sourceFolder(dataDir: string, source: string): string {
  if (source === '' || source === '.' || source === '..' || /[/\\\0]/.test(source)) {
    throw new SlipwayError('data_dir', {
      path: dataDir,
      reason: `"${source}" cannot be the name of a source`,
    });
  }
  return join(dataDir, 'sources', source);
}
