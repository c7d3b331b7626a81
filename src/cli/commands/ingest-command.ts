import { type Command, Option } from 'commander';
import { ZIP_NAMES } from '../../domain/batch-source.ts';
import { SlipwayError } from '../../domain/errors.ts';
import type { ExitCode } from '../exit-codes.ts';
import { durationFlag } from '../flags.ts';
import { addDestinationOptions } from '../work/destination-flags.ts';
import { type IngestFlags, ingestBatch } from '../work/ingest-batch.ts';
import { addMetaOptions } from '../work/meta-flags.ts';

/** `slipway ingest`: a batch with one end. */
export function addIngestCommand(program: Command, done: (code: ExitCode) => void): void {
  addDestinationOptions(addMetaOptions(program.command('ingest')))
    .description(
      'send a folder, an archive or a list of files as one batch with one end and a manifest of its own',
    )
    .argument('[path...]', 'folders, .zip, .tar, .tar.gz or .tar.zst')
    .option('--to <destination>', 'a configured destination or a preset')
    .option('--source <name>', 'a source of the config file: its destination, its rules, its manifest')
    .option('--files-from <file>', 'a list of files, one a line, relative to PATH or here; - for stdin')
    .option('-0, --nul', 'names in the list end with NUL (find -print0)')
    .addOption(
      new Option(
        '--zip-names <encoding>',
        'how names in a zip are read that do not say it (default: guessed)',
      ).choices(ZIP_NAMES),
    )
    .option('--detach', 'go on in the background: prints the batch and returns')
    .option('--dry-run', 'what would be sent, what not and why, and how long it takes; sends nothing')
    .option('--resume <id>', 'go on with a batch after Ctrl-C, a kill or an outage')
    .option('--manifest <file>', 'where the manifest of the batch goes (default: <dataDir>/batches)')
    .option(
      '--give-up <duration>',
      'exit 5 when nothing has succeeded for this long (default 60s)',
      durationFlag,
    )
    .option('-y, --yes', 'I know that a public destination makes the files readable by anyone')
    .option('--json', 'print each receipt as a JSON line on stdout, and the batch at the end')
    .addHelpText(
      'after',
      '\nRepeating the command sends only what is new.\n\nExamples:\n  slipway ingest ./archive --to openai\n  slipway ingest scans-2026.zip scans-2025.tar.gz --to dashscope --detach\n  find . -name "*.pdf" -print0 | slipway ingest --files-from - -0 --to openai\n  slipway ingest ./archive --to openai --dry-run\n  slipway ingest ./archive --to openai --meta order=4711 --meta-from list.jsonl\n',
    )
    .action(async (paths: string[], flags: IngestFlags) => {
      const others = [
        flags.to,
        flags.source,
        flags.filesFrom,
        flags.manifest,
        flags.zipNames,
        flags.dryRun,
        flags.meta,
        flags.metaFrom,
        flags.field,
        flags.param,
        flags.url,
      ];
      if (flags.resume !== undefined && (paths.length > 0 || others.some((flag) => flag !== undefined))) {
        throw new SlipwayError('usage', {
          problem:
            '--resume goes on with a batch as it was asked for: leave out PATH and what else describes one',
        });
      }
      done(await ingestBatch(paths, flags));
    });
}
