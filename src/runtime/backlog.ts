import type { DestinationLimits } from '../destinations/destination.ts';
import { type Backlog, countBacklog } from '../intake/backlog.ts';
import { firstPassOf } from '../record/first-pass.ts';
import { readSourceLedger } from '../record/source-store.ts';
import type { SourcePlan } from './source-plan.ts';

/** What a start would send now from these sources: found on disk and not recorded. */
export async function backlogOf(
  plans: readonly SourcePlan[],
  ownPaths: readonly string[],
  dataDir: string,
  limits: DestinationLimits,
): Promise<Backlog> {
  let files = 0;
  let bytes = 0;
  for (const plan of plans) {
    const ledger = readSourceLedger(dataDir, plan.name);
    const firstStartMs = plan.existing === 'skip' ? firstPassOf(ledger, Date.now()) : null;
    const options = { ...plan, source: plan.name, ownPaths, limits, firstStartMs };
    const found = await countBacklog(options, (id) => ledger?.find(id) ?? null, new AbortController().signal);
    await ledger?.close();
    files += found.files;
    bytes += found.bytes;
  }
  return { files, bytes };
}
