import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { reasonOf } from '../../domain/errors.ts';
import { sweepTemporaries } from '../../platform/files/atomic-file.ts';
import { lockJournal } from '../journal/journal-lock.ts';
import { journalPathOf, type ManifestJournal } from '../journal/manifest-journal.ts';
import { type Ledger, readLedger } from '../ledger.ts';
import { compactedJournal, finishCompaction } from '../upkeep/compaction-switch.ts';
import { batchFolder } from './batch-spec.ts';
import { openDataDir, sourceFolder } from './data-dir.ts';
import { rememberOddManifest } from './odd-manifests.ts';
import { openBooks } from './open-books.ts';
import { lockSource } from './source-lock.ts';
import { ledgerPathOf, type StorePlace } from './store-place.ts';

export { ledgerPathOf, type StorePlace } from './store-place.ts';

const PATHS_PER_STEP = 2_000;

/** What is kept of one source. The recorder brings the two to the same state when it starts. */
export interface SourceStore {
  readonly ledger: Ledger;
  readonly journal: ManifestJournal;
  close(): Promise<void>;
}

/**
 * Opens what is kept of a source, creating it (0700) where it is new, for the one process that may write it.
 * @throws SlipwayError `source_owned`, `journal_owned`, `data_dir`, `data_dir_newer`, `ledger_unreadable`,
 *   `journal_short`, `journal_changed`, `journal_forbidden`
 */
export async function openSourceStore(options: StorePlace): Promise<SourceStore> {
  const { dataDir, source } = options;
  await openDataDir(dataDir, options.log);
  const unlock = lockSource(dataDir, source);
  return await unlockedAtClose(() => openLockedStore(options), unlock);
}

/** As `openSourceStore`, for whoever holds the source's lock already. */
export async function openLockedStore(options: StorePlace): Promise<SourceStore> {
  const { manifest, log } = options;
  const unlock = lockJournal(journalPathOf(manifest), options, log);
  return await unlockedAtClose(() => openStore(options), unlock);
}

/** Gives a lock back when the store is closed, or could not be opened. */
async function unlockedAtClose(open: () => Promise<SourceStore>, unlock: () => void): Promise<SourceStore> {
  try {
    const store = await open();
    return {
      ...store,
      async close() {
        await store.close();
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

async function openStore(options: StorePlace): Promise<SourceStore> {
  const { dataDir, source, manifest, log } = options;
  await finishCompaction(sourceFolder(dataDir, source), log);
  // What a compaction left that never came to be meant.
  await rm(compactedJournal(journalPathOf(manifest)), { force: true }).catch((error: unknown) =>
    log.debug({ reason: reasonOf(error) }, 'what a compaction left stays for now'),
  );
  await rememberOddManifest(dataDir, manifest);
  await sweepTemporaries([dirname(manifest), sourceFolder(dataDir, source), batchFolder(dataDir), dataDir]);
  const books = await openBooks(ledgerPathOf(dataDir, source), journalPathOf(manifest), log);
  const { ledger, journal } = books;
  try {
    // One that an older Slipway wrote learns its dead letters once.
    while (ledger.deadLetters.catchUp(PATHS_PER_STEP)) await nextTurn();
    // A new ledger beside a new journal: whatever the journal holds more from here on is new.
    if (journal.size() === 0) ledger.commit([], 0);
    return {
      ledger,
      journal,
      async close() {
        await journal.close();
        await ledger.close();
      },
    };
  } catch (error) {
    await journal.close();
    await ledger.close();
    throw error;
  }
}

/** The ledger of a source for reading, beside a running owner or without one; null when nothing was ever recorded. */
export function readSourceLedger(dataDir: string, source: string): Ledger | null {
  return readLedger(ledgerPathOf(dataDir, source));
}
