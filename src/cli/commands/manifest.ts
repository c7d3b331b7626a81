import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { ReceiptStatus } from '../../domain/receipt.ts';
import { exportReceipts } from '../../operations/inspect/receipt-export.ts';
import {
  compactJournals,
  importJournal,
  rebuildLedgers,
  type UpkeepOptions,
  type UpkeepResult,
} from '../../operations/upkeep/manifest-upkeep.ts';
import { writeAtomic } from '../../platform/files/atomic-file.ts';
import { formatBytes } from '../../platform/units.ts';
import { meantSources } from '../../runtime/plans/known-sources.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { momentFlag } from '../flags.ts';
import { EXPORT_FORMATS, type ExportFormat, exportText } from '../screen/export-formats.ts';
import { jsonLine } from '../screen/json-line.ts';
import { print } from '../screen/output.ts';
import { openSession, type SharedFlags } from '../session.ts';

interface SourceFlags extends SharedFlags {
  readonly source?: string;
  readonly json?: boolean;
}

interface ExportFlags extends SharedFlags {
  readonly format?: ExportFormat;
  readonly status?: ReceiptStatus[];
  /** Milliseconds since the epoch. */
  readonly since?: number;
  readonly batch?: string;
  readonly source?: string;
  readonly all?: boolean;
  readonly out?: string;
}

const STOPPED = 'stop the process that works on the source first';

/** `slipway manifest export|rebuild|compact|import`. */
export function addManifestCommand(program: Command, done: (code: ExitCode) => void): void {
  const manifest = program
    .command('manifest')
    .description('what is recorded: export it, keep it in shape')
    .addHelpText('after', '\nExample:\n  slipway manifest export --format csv > receipts.csv\n');
  manifest
    .command('export')
    .description('the latest receipt of every file, of any size, beside a running process too')
    .addOption(new Option('--format <format>', 'default jsonl').choices(EXPORT_FORMATS))
    .addOption(new Option('--status <status...>', 'only these').choices(['uploaded', 'failed', 'skipped']))
    .option('--since <when>', 'recorded since a date, or within a duration such as 24h', momentFlag)
    .option('--batch <id>', 'only of this batch')
    .option('--source <name>', 'only of this source')
    .option('--all', 'every receipt ever recorded, not only the latest of each file')
    .option('--out <file>', 'write this file, in one step, instead of stdout')
    .addHelpText(
      'after',
      '\nExamples:\n  slipway manifest export --format csv --out results.csv\n  slipway manifest export --status failed --since 24h | jq -r .path\n',
    )
    .action(async (flags: ExportFlags) => {
      done(await exportManifest(flags));
    });
  upkeep(manifest, 'rebuild', `build the ledger anew from the journal; ${STOPPED}`, rebuildLedgers, done);
  upkeep(
    manifest,
    'compact',
    `keep only the latest receipt of every file in the journal; ${STOPPED}`,
    compactJournals,
    done,
  );
  manifest
    .command('import')
    .description(`add the receipts of another machine, so that its uploads are not repeated; ${STOPPED}`)
    .argument('<file>', 'a manifest journal (.jsonl), or what `manifest export` printed as jsonl')
    .option('--source <name>', 'the source that takes them, whatever it was called there')
    .option('--json', 'print a JSON line per source')
    .addHelpText(
      'after',
      '\nExample:\n  slipway manifest import old-host/inbox.manifest.jsonl --source inbox\n',
    )
    .action(async (file: string, flags: SourceFlags) => {
      const { config, log } = await openSession(flags, false);
      const sources = await meantSources(config, flags.source);
      const into = flags.source ?? null;
      const options = { sources, dataDir: config.dataDir, file: resolve(file), into, log };
      await report(await importJournal(options), flags);
      done(EXIT.ok);
    });
}

function upkeep(
  manifest: Command,
  name: string,
  description: string,
  work: (options: UpkeepOptions) => Promise<UpkeepResult[]>,
  done: (code: ExitCode) => void,
): void {
  manifest
    .command(name)
    .description(description)
    .option('--source <name>', 'only this source')
    .option('--json', 'print a JSON line per source')
    .addHelpText('after', `\nExample:\n  slipway manifest ${name} --source inbox\n`)
    .action(async (flags: SourceFlags) => {
      const { config, log } = await openSession(flags, false);
      const sources = await meantSources(config, flags.source);
      await report(await work({ sources, dataDir: config.dataDir, log }), flags);
      done(EXIT.ok);
    });
}

async function exportManifest(flags: ExportFlags): Promise<ExitCode> {
  const { config, log } = await openSession(flags, false);
  const receipts = exportReceipts({
    sources: await meantSources(config, flags.source),
    dataDir: config.dataDir,
    all: flags.all === true,
    filter: { statuses: flags.status ?? [], sinceMs: flags.since ?? null, batch: flags.batch ?? null },
    log,
  });
  const text = exportText(receipts, flags.format ?? 'jsonl');
  if (flags.out === undefined) {
    for await (const piece of text) await print(piece);
    return EXIT.ok;
  }
  const file = resolve(flags.out);
  await writeAtomic(file, text, { mode: 0o600 }).catch((error: unknown) => {
    if (error instanceof SlipwayError) throw error;
    throw new SlipwayError('usage', { problem: `cannot write ${file}: ${reasonOf(error)}` });
  });
  return EXIT.ok;
}

/** What was done, for people or for scripts. */
async function report(results: readonly UpkeepResult[], flags: SourceFlags): Promise<void> {
  if (flags.json !== true && results.length === 0) await print('nothing is recorded yet\n');
  for (const result of results) {
    const { source, ...facts } = result;
    const words = Object.entries(facts).map(([name, value]) => `${name} ${shown(name, value)}`);
    await print(flags.json === true ? jsonLine(result) : `${source}: ${words.join(', ')}\n`);
  }
}

function shown(name: string, value: string | number): string | number {
  return name.startsWith('bytes') && typeof value === 'number' ? formatBytes(value) : value;
}
