import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { openDataDir, sourceFolder } from './data-dir.ts';
import { type Ledger, openLedger, readLedger } from './ledger.ts';
import { journalPathOf, type ManifestJournal, openJournal } from './manifest-journal.ts';

/** What is kept of one source. The recorder brings the two to the same state when it starts. */
export interface SourceStore {
  readonly ledger: Ledger;
  readonly journal: ManifestJournal;
  close(): Promise<void>;
}

/**
 * Opens what is kept of a source, creating it (0700) where it is new. Only the source's owner may.
 * @param options.manifest path of the manifest; the journal lies beside it
 * @throws SlipwayError `data_dir`, `data_dir_newer`, `ledger_unreadable`, `journal_short`, `journal_changed`
 */
export async function openSourceStore(options: {
  readonly dataDir: string;
  readonly source: string;
  readonly manifest: string;
  readonly log: Log;
}): Promise<SourceStore> {
  const { dataDir, source, manifest, log } = options;
  await openDataDir(dataDir);
  const path = ledgerPathOf(dataDir, source);
  await mkdir(sourceFolder(dataDir, source), { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new SlipwayError('data_dir', { path: dataDir, reason: reasonOf(error) }, { cause: error });
  });
  const ledger = openLedger(path);
  try {
    const journal = await openJournal({
      path: journalPathOf(manifest),
      mark: ledger.mark(),
      ledger: path,
      log,
    });
    return {
      ledger,
      journal,
      async close() {
        await journal.close();
        await ledger.close();
      },
    };
  } catch (error) {
    await ledger.close();
    throw error;
  }
}

/** The ledger of a source for reading, beside a running owner or without one; null when nothing was ever recorded. */
export function readSourceLedger(dataDir: string, source: string): Ledger | null {
  return readLedger(ledgerPathOf(dataDir, source));
}

/** Folder of a source's ledger. */
export function ledgerPathOf(dataDir: string, source: string): string {
  return join(sourceFolder(dataDir, source), 'ledger');
}
