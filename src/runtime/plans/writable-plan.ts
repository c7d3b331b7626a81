import { access, constants, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { journalPathOf } from '../../ledger/journal/manifest-journal.ts';
import { rememberManifest } from '../../ledger/store/ad-hoc-source.ts';
import { sourceFolder } from '../../ledger/store/data-dir.ts';
import type { SourcePlan } from './source-plan.ts';

/**
 * The plan of a source that was named on the command line, with its journal beside the folder or the archive; where that
 * cannot be, with the data, which is remembered. What is there already stays what it is: another place would forget all that it says.
 * @param path what the source is known by
 */
export async function writablePlan(plan: SourcePlan, path: string, dataDir: string): Promise<SourcePlan> {
  if ((await isThere(journalPathOf(plan.manifest))) || (await isWritable(dirname(plan.manifest))))
    return plan;
  return await inDataDir(plan, path, dataDir);
}

/** The same for a list that is typed or piped in: whatever folder that is done in is no place for a manifest. */
export async function planOfPipedList(plan: SourcePlan, path: string, dataDir: string): Promise<SourcePlan> {
  return (await isThere(journalPathOf(plan.manifest))) ? plan : await inDataDir(plan, path, dataDir);
}

async function inDataDir(plan: SourcePlan, path: string, dataDir: string): Promise<SourcePlan> {
  const manifest = join(sourceFolder(dataDir, plan.name), `${plan.name}.manifest.json`);
  if (manifest === plan.manifest) return plan;
  await rememberManifest(dataDir, { name: plan.name, path, manifest });
  return { ...plan, manifest };
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

function isWritable(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
}
