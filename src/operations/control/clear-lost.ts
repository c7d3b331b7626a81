import { readSourceLedger } from '../../ledger/store/source-store.ts';
import { openLostCount } from '../../ledger/tables/lost-count.ts';
import { type OwnerRequestOptions, withOwner } from '../../runtime/owner/owner-request.ts';
import type { KnownSource } from '../../runtime/plans/known-sources.ts';

export interface ClearedLost {
  readonly source: string;
  readonly jobs: number;
}

/**
 * Sets the count of lost jobs back to 0, at the owner or in its place; sources without any are left alone.
 * @throws SlipwayError what asking an owner, or becoming it, throws
 */
export async function clearLost(
  sources: readonly KnownSource[],
  facts: OwnerRequestOptions,
): Promise<ClearedLost[]> {
  const cleared: ClearedLost[] = [];
  for (const source of sources) {
    const ledger = readSourceLedger(facts.dataDir, source.name);
    const jobs = ledger === null ? 0 : openLostCount(ledger).jobs();
    await ledger?.close();
    if (jobs === 0) continue;
    const { answer } = await withOwner(source, { kind: 'clear-lost' }, facts);
    cleared.push({ source: source.name, jobs: answer.jobs });
  }
  return cleared;
}
