import { SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { openRecordReader } from '../../ledger/store/record-reader.ts';
import { compactSource } from '../../ledger/upkeep/compact-journal.ts';
import { importReceipts, sourcesIn } from '../../ledger/upkeep/import-receipts.ts';
import { rebuildSource } from '../../ledger/upkeep/rebuild-ledger.ts';
import { type KnownSource, placeOf } from '../../runtime/plans/known-sources.ts';

export interface UpkeepOptions {
  readonly sources: readonly KnownSource[];
  readonly dataDir: string;
  readonly log: Log;
}

/** What was done to one source; counts by what they are called in print. */
export interface UpkeepResult {
  readonly source: string;
  readonly [count: string]: string | number;
}

/**
 * Builds the ledger of each source from its journal. Throws SlipwayError `source_owned` for one a process works on,
 * `journal_missing`, `journal_corrupt`.
 */
export async function rebuildLedgers({ sources, dataDir, log }: UpkeepOptions): Promise<UpkeepResult[]> {
  const results: UpkeepResult[] = [];
  for (const source of await recorded({ sources, dataDir, log })) {
    const { receipts, previous } = await rebuildSource(placeOf(source, dataDir, log));
    results.push({ source: source.name, receipts, previous });
  }
  return results;
}

/** Keeps the latest receipt per path. Throws SlipwayError `source_owned` for a source a process works on. */
export async function compactJournals({ sources, dataDir, log }: UpkeepOptions): Promise<UpkeepResult[]> {
  const results: UpkeepResult[] = [];
  for (const source of await recorded({ sources, dataDir, log })) {
    results.push({ source: source.name, ...(await compactSource(placeOf(source, dataDir, log))) });
  }
  return results;
}

/**
 * Adds the receipts of another machine's journal.
 * @param options.into name of the source that takes all of them; null: each goes to the source of its own name
 * @throws SlipwayError `usage` for receipts of a source that is not known here, `source_owned`, `journal_corrupt`
 */
export async function importJournal(
  options: UpkeepOptions & { readonly file: string; readonly into: string | null },
): Promise<UpkeepResult[]> {
  const { sources, dataDir, file, into, log } = options;
  const theirs = [...(await sourcesIn(file))].sort();
  const targets = theirs.map((from) => ({
    from,
    source: sources.find(({ name }) => name === (into ?? from)),
  }));
  const strangers = targets.filter(({ source }) => source === undefined).map(({ from }) => from);
  if (strangers.length > 0) {
    const problem = `${file} holds receipts of ${strangers.join(', ')}, which is no source here: name the source that takes them with --source, or add it to the config file`;
    throw new SlipwayError('usage', { problem });
  }
  const results: UpkeepResult[] = [];
  for (const { from, source } of targets) {
    if (source === undefined) continue;
    const { added, known } = await importReceipts({ ...placeOf(source, dataDir, log), file, from });
    results.push({ source: source.name, from, added, known });
  }
  return results;
}

/** Sources that nothing was ever recorded of have nothing to be kept up. One that was named is taken at its word. */
async function recorded({ sources, dataDir, log }: UpkeepOptions): Promise<readonly KnownSource[]> {
  if (sources.length === 1) return sources;
  const found: KnownSource[] = [];
  for (const source of sources) {
    const reader = await openRecordReader(placeOf(source, dataDir, log)).catch(() => undefined);
    if (reader !== null) found.push(source);
    await reader?.close();
  }
  return found;
}
