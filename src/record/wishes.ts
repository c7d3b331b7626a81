import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { PathName } from '../domain/path-bytes.ts';
import { writeAtomic } from '../platform/atomic-file.ts';
import { sourceFolder } from './data-dir.ts';
import { readPlace } from './journal-reader.ts';
import { latestLines } from './latest-lines.ts';
import type { Ledger } from './ledger.ts';
import { type VersionMark, versionKey } from './ledger-codec.ts';
import { decodeReceipt } from './receipt-codec.ts';
import { syncedFolder } from './synced-folder.ts';

/** That what is recorded be sent once more. It is a file until the owner has it in the ledger. */
export interface Wish {
  readonly v: 1;
  /** Of one path; null: of every path. */
  readonly name: PathName | null;
  /** Journal bytes when it was made. What is recorded behind them came after it: granting it twice sends once. */
  readonly mark: number;
}

/** Leaves a wish for the owner, running or next; durable when this returns. */
export async function leaveWish(dataDir: string, source: string, wish: Wish): Promise<void> {
  const folder = wishFolder(dataDir, source);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const name = `${Date.now()}-${randomBytes(4).toString('hex')}.json`;
  await writeAtomic(join(folder, name), `${JSON.stringify(wish)}\n`, { mode: 0o600 });
}

/**
 * Writes the wishes that were left into the ledger, then removes them; a crash between the two grants them again to the
 * same effect. For the source's owner only.
 * @param options.journal path of the journal
 * @returns how many versions are to go once more
 * @throws SlipwayError `disk_full`, `ledger_unwritable`
 */
export async function grantWishes(options: {
  readonly dataDir: string;
  readonly source: string;
  readonly ledger: Ledger;
  readonly journal: string;
  readonly log: Log;
}): Promise<number> {
  const { ledger, journal, log } = options;
  const folder = wishFolder(options.dataDir, options.source);
  const names = await readdir(folder).catch(() => []);
  let granted = 0;
  for (const name of names.filter((entry) => /^\d.*\.json$/.test(entry)).sort()) {
    const wish = await readWish(join(folder, name), log);
    if (wish !== null) granted += await grantWish(wish, ledger, journal);
    await rm(join(folder, name), { force: true });
  }
  if (names.length > 0) await syncedFolder(folder);
  return granted;
}

/**
 * Writes one wish into the ledger. For the source's owner only.
 * @returns how many versions are to go once more
 */
export async function grantWish(wish: Wish, ledger: Ledger, journal: string): Promise<number> {
  if (wish.name !== null) {
    const recorded = ledger.findPath(wish.name);
    if (recorded === null || recorded.offset >= wish.mark) return 0;
    const line = await readPlace(journal, recorded);
    const receipt = line === null ? null : decodeReceipt(line.toString('utf8'));
    return receipt === null ? 0 : ledger.sendAgain([{ key: versionKey(receipt.id), gen: receipt.gen }]);
  }
  let granted = 0;
  const frozen = ledger.frozen();
  try {
    for await (const lines of latestLines(journal, frozen)) {
      const meant = lines.filter(({ line }) => line.offset < wish.mark);
      granted += ledger.sendAgain(
        meant.map(({ receipt }): VersionMark => ({ key: versionKey(receipt.id), gen: receipt.gen })),
      );
    }
  } finally {
    frozen.close();
  }
  return granted;
}

async function readWish(path: string, log: Log): Promise<Wish | null> {
  try {
    const wish = JSON.parse(await readFile(path, 'utf8')) as Partial<Wish> | null;
    if (wish?.v === 1 && typeof wish.mark === 'number' && wish.name !== undefined) return wish as Wish;
    throw new Error('it is of another version');
  } catch (error) {
    log.error({ path, reason: reasonOf(error) }, 'a wish to send again cannot be read and is dropped');
    return null;
  }
}

function wishFolder(dataDir: string, source: string): string {
  return join(sourceFolder(dataDir, source), 'wishes');
}
