import { readdir } from 'node:fs/promises';
import { batchFolder } from '../../ledger/store/batch-spec.ts';

/** Ids of the batches that were asked for with this data folder, as far as they are kept; sorted, the oldest first. */
export async function batchIds(dataDir: string): Promise<string[]> {
  const names = await readdir(batchFolder(dataDir)).catch(() => []);
  return names
    .filter((name) => /^[^.]+\.json$/.test(name))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
}
