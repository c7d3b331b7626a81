import { join } from 'node:path';
import { silentLog } from '../../src/domain/log.ts';
import { openSourceStore, type SourceStore } from '../../src/ledger/store/source-store.ts';

/** The store of a source `inbox` in a folder, for a process without a test runner. */
export async function storeIn(folder: string): Promise<SourceStore> {
  return await openSourceStore({
    dataDir: join(folder, 'data'),
    source: 'inbox',
    manifest: join(folder, 'inbox.manifest.json'),
    log: silentLog,
  });
}
