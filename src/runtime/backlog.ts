import { type Backlog, countBacklog } from '../intake/backlog.ts';
import { readSourceLedger } from '../record/source-store.ts';
import type { SourcePlan } from './source-plan.ts';

/** What a start would send now from these sources: found on disk and not recorded. */
export async function backlogOf(
  plans: readonly SourcePlan[],
  ownPaths: readonly string[],
  dataDir: string,
): Promise<Backlog> {
  let files = 0;
  let bytes = 0;
  for (const plan of plans) {
    const ledger = readSourceLedger(dataDir, plan.name);
    const options = { ...plan, source: plan.name, ownPaths };
    const found = await countBacklog(options, (id) => ledger?.find(id) ?? null, new AbortController().signal);
    await ledger?.close();
    files += found.files;
    bytes += found.bytes;
  }
  return { files, bytes };
}
