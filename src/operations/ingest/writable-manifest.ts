import { access, constants, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LoadedConfig } from '../../config/load-config.ts';
import { journalPathOf } from '../../ledger/journal/manifest-journal.ts';
import { rememberManifest } from '../../ledger/store/ad-hoc-source.ts';
import { sourceFolder } from '../../ledger/store/data-dir.ts';
import type { SourcePlan } from '../../runtime/plans/source-plan.ts';

/** The journal lies beside the folder or the archive; where that cannot be, with the data, which is remembered. */
export async function writablePlan(
  plan: SourcePlan,
  path: string,
  { config }: LoadedConfig,
): Promise<SourcePlan> {
  if (await isWritable(plan.manifest)) return plan;
  const manifest = join(sourceFolder(config.dataDir, plan.name), `${plan.name}.manifest.json`);
  await rememberManifest(config.dataDir, { name: plan.name, path, manifest });
  return { ...plan, manifest };
}

async function isWritable(manifest: string): Promise<boolean> {
  const may = (path: string): Promise<boolean> =>
    access(path, constants.W_OK).then(
      () => true,
      () => false,
    );
  // What is there already stays what it is: another place would forget all that it says.
  const journal = journalPathOf(manifest);
  if ((await stat(journal).catch(() => null)) !== null) return true;
  return await may(dirname(manifest));
}
