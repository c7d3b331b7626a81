import { type Command, InvalidArgumentError } from 'commander';
import { SlipwayError } from '../../domain/errors.ts';
import type { ExitCode } from '../exit-codes.ts';
import { durationFlag, integerFlag } from '../flags.ts';
import { addDestinationOptions } from '../work/destination-flags.ts';
import { addMetaOptions } from '../work/meta-flags.ts';
import { type RunFlags, runSources } from '../work/run-sources.ts';

const ACKNOWLEDGE = 'I know that a public destination makes the files readable by anyone';

/** `slipway run`: everything in one process; `slipway intake` and `slipway worker`: the two roles apart. */
export function addRunCommands(program: Command, done: (code: ExitCode) => void): void {
  addDestinationOptions(addMetaOptions(program.command('run')))
    .alias('watch')
    .description('watch folders, upload what settles in them, write the manifest')
    .argument('[path...]', 'folders to watch; without one, the sources of the config file')
    .option('--to <destination>', 'a configured destination or a preset (for the folders named here)')
    .option('--once', 'upload what is there, then exit')
    .option(
      '--give-up <duration>',
      'with --once: exit 5 when nothing has succeeded for this long (default 60s)',
      durationFlag,
    )
    .option('-y, --yes', ACKNOWLEDGE)
    .option('--json', 'print each receipt as a JSON line on stdout')
    .addHelpText(
      'after',
      '\nExamples:\n  slipway run                                   the sources of ./slipway.yaml\n  slipway run ./inbox --to dashscope            one folder, no config file\n  slipway run ./archive --to openai --once      upload what is there, then exit\n  slipway run ./scans --to qwen --once --meta order=4711      each receipt carries {"order":"4711"}\n',
    )
    .action(async (paths: string[], flags: RunFlags) => {
      // Without --once an outage is waited out, however long: a limit that is never looked at would promise an end.
      if (flags.giveUp !== undefined && flags.once !== true) {
        throw new SlipwayError('usage', {
          problem: '--give-up goes with --once: add --once, or leave it out',
        });
      }
      done(await runSources(paths, flags, ['intake', 'worker']));
    });
  program
    .command('intake')
    .description('one half of run: find files, queue them, record the results; workers upload')
    .option('-y, --yes', ACKNOWLEDGE)
    .option('--json', 'print each receipt as a JSON line on stdout')
    .addHelpText(
      'after',
      '\nExample (two hosts, one Redis in redis.url, the folder mounted on both):\n  slipway intake --config slipway.yaml\n',
    )
    .action(async (flags: RunFlags) => {
      done(await runSources([], flags, ['intake']));
    });
  program
    .command('worker')
    .description('the other half of run: upload what is queued, from the folders this host can see')
    .option('--concurrency <n>', 'at most this many uploads at once per destination', positive)
    .option('-y, --yes', ACKNOWLEDGE)
    .addHelpText('after', '\nExample:\n  slipway worker --config slipway.yaml --concurrency 16\n')
    .action(async (flags: RunFlags) => {
      done(await runSources([], flags, ['worker']));
    });
}

function positive(text: string): number {
  const value = integerFlag(text);
  if (value < 1) throw new InvalidArgumentError('give at least 1.');
  return value;
}
