import { join } from 'node:path';
import type { LoadedConfig } from '../../config/load-config.ts';
import type { SourceConfig } from '../../config/resolved-config.ts';
import { SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { adHocSources } from '../../ledger/store/ad-hoc-source.ts';
import {
  keepSourceNames,
  readSourceNames,
  recordedNames,
  type SourceNames,
} from '../../ledger/store/source-names.ts';
import { readSourceLedger } from '../../ledger/store/source-store.ts';
import { withIdentities } from '../../runtime/plans/source-identities.ts';
import { type SourcePlan, titleOf } from '../../runtime/plans/source-plan.ts';
import { configuredPlans, ownPathsOf } from '../../runtime/plans/source-plans.ts';
import { type KnownElsewhere, knownElsewhere } from './known-elsewhere.ts';

/** Of more than this share of its files somebody has to say whether they are to be sent again. */
const KNOWN_SHARE = 0.2;
/** What comes in by HTTP is recorded under it, whatever the config file says. */
const GATEWAY = 'gateway';

export interface RenameQuestion extends KnownElsewhere {
  readonly source: string;
  readonly path: string;
}

/** null: nobody has said. */
export type RenameAnswer = 'renamed' | 'new' | null;

/**
 * Before anything of these sources is sent: which of them go on with the records of another name. What is said once,
 * in the config or by a person, is kept in the data folder.
 * @param options.concerns whether a source is about to be worked on
 * @returns the configuration with each source under its identity
 * @throws SlipwayError `source_renamed`, `source_has_records`, `data_dir…`
 */
export async function settleSourceNames(
  loaded: LoadedConfig,
  options: {
    readonly concerns: (plan: SourcePlan) => boolean;
    /** Whether the folders are to be looked through. */
    readonly looks: boolean;
    readonly ask: (question: RenameQuestion) => Promise<RenameAnswer>;
    readonly log: Log;
  },
): Promise<LoadedConfig> {
  const { dataDir, sources } = loaded.config;
  const names = await readSourceNames(dataDir);
  const plans = configuredPlans(loaded.config).filter(options.concerns);
  const ownPaths = ownPathsOf(loaded, plans);
  const next: Record<string, string> = { ...names };
  for (const plan of plans) {
    const source = sources[plan.name];
    if (source === undefined) continue;
    const title = titleOf(plan);
    const { renamedFrom } = source;
    await assertFree(source, names, dataDir);
    if (options.looks && renamedFrom !== null && names[title] === undefined) {
      const found = await knownElsewhere(plan, { ownPaths, dataDir, log: options.log });
      if (found !== null && found.known > KNOWN_SHARE * found.files) {
        const question = { ...found, source: title, path: plan.root };
        // A key that names another one is a slip of the pen, which no answer mends.
        const answer = renamedFrom === undefined ? await options.ask(question) : null;
        if (answer === null) throw new SlipwayError('source_renamed', { ...question });
        next[title] = answer === 'new' ? title : found.was;
      }
    }
    if (renamedFrom === undefined) continue;
    next[title] = plan.name;
    // Its name before may be given to another source now.
    if (renamedFrom !== null) delete next[renamedFrom];
  }
  if (JSON.stringify(next) === JSON.stringify(names)) return loaded;
  await keepSourceNames(dataDir, next);
  return await withIdentities(loaded);
}

/** Records under both names cannot become one: what only the newer name knows would be sent again. */
async function assertFree(
  { name, title = name }: SourceConfig,
  names: SourceNames,
  dataDir: string,
): Promise<void> {
  if (name === title || names[title] === name) return;
  const ledger = readSourceLedger(dataDir, title);
  if (ledger === null) return;
  const { uploaded, failed, skipped } = ledger.counts().total;
  await ledger.close();
  if (uploaded + failed + skipped === 0) return;
  const path = join(dataDir, 'sources', title);
  throw new SlipwayError('source_has_records', { source: title, was: name, path });
}

/** A source that is recorded and stands in the config no more: gone for good, or renamed without saying so. */
export async function warnOfGoneSources({ config }: LoadedConfig, log: Log): Promise<void> {
  const { dataDir } = config;
  const known = new Set([GATEWAY, ...Object.keys(config.sources)]);
  for (const { name } of await adHocSources(dataDir)) known.add(name);
  // An old name was given up with the word that the new one is another source.
  for (const [title, name] of Object.entries(await readSourceNames(dataDir)))
    if (title === name) known.add(title);
  for (const source of await recordedNames(dataDir)) {
    if (known.has(source)) continue;
    log.warn(
      { source },
      `source ${source} is recorded in ${dataDir} and is not in the config any more: if it has another name there now, give that one \`renamedFrom: ${source}\`; if it is not wanted, delete ${join(dataDir, 'sources', source)}`,
    );
  }
}
