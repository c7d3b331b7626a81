import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '../domain/log.ts';
import { replayJournal } from './journal-replay.ts';
import { openLedger } from './ledger.ts';
import { openJournal } from './manifest-journal.ts';
import { syncedFolder } from './synced-folder.ts';

export interface RebuildResult {
  readonly receipts: number;
  /** Where the ledger that was replaced lies now. */
  readonly previous: string;
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
  const { ledger: path, log } = options;
  const fresh = `${path}.new`;
  const previous = `${path}.old`;
  await rm(fresh, { recursive: true, force: true });
  const ledger = openLedger(fresh, 'at close');
  let receipts = 0;
  try {
    const journal = await openJournal({ path: options.journal, mark: 0, ledger: path, log });
    try {
      receipts = await replayJournal({ journal, ledger, log });
    } finally {
      await journal.close();
    }
  } finally {
    await ledger.close();
  }
  await syncedFile(join(fresh, 'data.mdb'));
  await rm(previous, { recursive: true, force: true });
  await rename(path, previous).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(fresh, path);
  await syncedFolder(dirname(path));
  return { receipts, previous };
}

async function syncedFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
