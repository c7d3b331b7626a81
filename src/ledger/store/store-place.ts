import { join } from 'node:path';
import type { Log } from '../../domain/log.ts';
import { sourceFolder } from './data-dir.ts';

/** Where what is kept of a source lies. */
export interface StorePlace {
  readonly dataDir: string;
  readonly source: string;
  /** Absolute path of the manifest; the journal lies beside it. */
  readonly manifest: string;
  readonly log: Log;
}

/** Folder of a source's ledger. */
export function ledgerPathOf(dataDir: string, source: string): string {
  return join(sourceFolder(dataDir, source), 'ledger');
}
