import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { journalPathOf } from '../journal/manifest-journal.ts';
import { syncedFolder } from '../journal/synced-folder.ts';
import { type Ledger, readLedger } from '../ledger.ts';
import { sourceFolder } from '../store/data-dir.ts';
import { lockSource } from '../store/source-lock.ts';
import { ledgerPathOf, type StorePlace } from '../store/store-place.ts';
import { buildLedger } from './build-ledger.ts';
import { finishCompaction } from './compaction-switch.ts';

export interface RebuildResult {
  readonly receipts: number;
  /** Where the ledger that was replaced lies now. */
  readonly previous: string;
}

/**
 * `rebuildLedger` for a source, as its owner for that time.
 * @throws SlipwayError `source_owned` while a process works on it, `journal_missing`, `journal_corrupt`, `disk_full`
 */
export async function rebuildSource(place: StorePlace): Promise<RebuildResult> {
  const { dataDir, source, manifest, log } = place;
  const journal = journalPathOf(manifest);
  const unlock = lockSource(dataDir, source);
  try {
    await finishCompaction(sourceFolder(dataDir, source), log);
    // Built from nothing, the ledger would forget everything.
    if (!existsSync(journal)) throw new SlipwayError('journal_missing', { path: journal });
    return await rebuildLedger({ ledger: ledgerPathOf(dataDir, source), journal, log });
  } finally {
    unlock();
  }
}

/**
 * Builds a new ledger from the journal beside the old one, which is moved away (`<ledger>.old`) only once the new one
 * is complete. A crash on the way leaves the old ledger, or none, and none is built again at the next start. Nothing
 * may have the ledger open.
 * @param options.ledger folder of the ledger
 * @param options.journal path of the journal
 * @throws SlipwayError `journal_corrupt`, `disk_full`
 */
export async function rebuildLedger(options: {
  readonly ledger: string;
  readonly journal: string;
  readonly log: Log;
}): Promise<RebuildResult> {
  const { ledger: path, journal, log } = options;
  const fresh = `${path}.new`;
  const previous = `${path}.old`;
  const before = readable(path, log);
  let receipts: number;
  try {
    receipts = await buildLedger({ path: fresh, journal, before, log });
  } finally {
    await before?.close();
  }
  await rm(previous, { recursive: true, force: true });
  await rename(path, previous).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(fresh, path);
  await syncedFolder(dirname(path));
  return { receipts, previous };
}

/** A damaged ledger is why people rebuild: then the journal alone has to do. */
function readable(path: string, log: Log): Ledger | null {
  try {
    return readLedger(path);
  } catch (error) {
    log.warn({ ledger: path, reason: reasonOf(error) }, 'the old ledger cannot be read');
    return null;
  }
}
