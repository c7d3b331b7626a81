import { existsSync } from 'node:fs';
import type { DestinationLimits } from '../../destinations/destination.ts';
import { type Backlog, countBacklog } from '../../intake/scan/count-backlog.ts';
import { journalPathOf } from '../../ledger/journal/manifest-journal.ts';
import { readSourceLedger } from '../../ledger/store/source-store.ts';
import { firstPassOf } from '../../ledger/tables/first-pass.ts';
import type { SourcePlan } from '../../runtime/plans/source-plan.ts';

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
    // A journal without its ledger is replayed at the start: the first one was long ago.
    const isFirst = ledger !== null || !existsSync(journalPathOf(plan.manifest));
    const firstStartMs = plan.existing === 'skip' && isFirst ? firstPassOf(ledger, Date.now()) : null;
    const options = { ...plan, source: plan.name, ownPaths, limits, firstStartMs };
    const found = await countBacklog(options, (id) => ledger?.find(id) ?? null, new AbortController().signal);
    await ledger?.close();
    files += found.files;
    bytes += found.bytes;
  }
  return { files, bytes };
}
