import type { Command } from 'commander';
import { lookUp } from '../../operations/inspect/lookup.ts';
import { meantSources } from '../../runtime/plans/known-sources.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { jsonText } from '../screen/json-line.ts';
import { print } from '../screen/output.ts';
import { receiptText } from '../screen/receipt-text.ts';
import { paintFor } from '../screen/terminal.ts';
import { openSession, type SharedFlags } from '../session.ts';

interface LookupFlags extends SharedFlags {
  readonly source?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

/** `slipway lookup`. */
export function addLookupCommand(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('lookup')
    .description('the receipt of a file: by its path, its SHA-256, or an id; exit 6 when there is none')
    .argument(
      '<what>',
      'a path (on disk, or as the manifest shows it), a SHA-256, a file version id, or the id or URL at the destination',
    )
    .option('--source <name>', 'only in this source')
    .option('--all', 'every version and generation, oldest first')
    .option('--json', 'print each receipt as a JSON line')
    .addHelpText(
      'after',
      '\nExamples:\n  slipway lookup inbox/report.pdf\n  slipway lookup $(sha256sum report.pdf | cut -c1-64) --json | jq -r .url\n',
    )
    .action(async (query: string, flags: LookupFlags) => {
      done(await lookup(query, flags));
    });
}

async function lookup(query: string, flags: LookupFlags): Promise<ExitCode> {
  const { config, log } = await openSession(flags, false);
  const sources = await meantSources(config, flags.source);
  const paint = paintFor(process.stdout, process.env);
  const options = {
    query,
    sources,
    dataDir: config.dataDir,
    cwd: process.cwd(),
    all: flags.all === true,
    log,
  };
  let found = 0;
  for await (const receipt of lookUp(options)) {
    found += 1;
    await print(`${flags.json === true ? jsonText(receipt) : receiptText(receipt, paint)}\n`);
  }
  if (found > 0) return EXIT.ok;
  process.stderr.write(`slipway: nothing is recorded of ${query}\n`);
  return EXIT.permanent;
}
