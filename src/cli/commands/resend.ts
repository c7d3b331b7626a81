import type { Command } from 'commander';
import { SlipwayError } from '../../domain/errors.ts';
import { knownSources, meantSources } from '../../runtime/known-sources.ts';
import { type ResendAnswer, resendFile, resendSources } from '../../runtime/resend.ts';
import { ownPathsOf } from '../../runtime/source-plans.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { print } from '../output.ts';
import { openSession, type SharedFlags } from '../session.ts';
import { printable } from '../terminal.ts';

interface ResendFlags extends SharedFlags {
  readonly source?: string;
  readonly to?: string;
  readonly json?: boolean;
}

/** `slipway resend`. */
export function addResendCommand(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('resend')
    .description(
      'send again what is recorded already, as its next generation; exit 6 for a file that is gone',
    )
    .argument('[path]', 'on disk, or as the manifest shows it; without it every file of --source')
    .option('--source <name>', 'the source it belongs to')
    .option('--to <destination>', 'make sure that it goes there')
    .option('--json', 'print each answer as a JSON line')
    .addHelpText(
      'after',
      '\nA running process takes it up within a second; without one the next start does.\n\nExamples:\n  slipway resend inbox/report.pdf\n  slipway resend --source inbox\n',
    )
    .action(async (path: string | undefined, flags: ResendFlags) => {
      done(await resend(path, flags));
    });
}

async function resend(path: string | undefined, flags: ResendFlags): Promise<ExitCode> {
  if (path === undefined && flags.source === undefined) {
    throw new SlipwayError('usage', {
      problem: 'what is to be sent again? Give a PATH, or --source for all of its files',
    });
  }
  const session = await openSession(flags, false);
  const { config, log } = session;
  const plans = (await knownSources(config)).map(({ plan }) => plan);
  const common = {
    sources: await meantSources(config, flags.source),
    to: flags.to,
    dataDir: config.dataDir,
    log,
  };
  const answers =
    path === undefined
      ? await resendSources(common)
      : await resendFile({
          ...common,
          path,
          ownPaths: ownPathsOf(session, plans),
          cwd: process.cwd(),
          nowMs: Date.now(),
        });
  for (const answer of answers) {
    if (flags.json === true) await print(`${JSON.stringify(answer)}\n`);
    else if (answer.kind === 'asked') await print(`${sentence(answer)}\n`);
    else process.stderr.write(`slipway: ${sentence(answer)}\n`);
  }
  return answers.some(({ kind }) => kind !== 'refused') ? EXIT.ok : EXIT.permanent;
}

function sentence(answer: ResendAnswer): string {
  const what = answer.path === null ? `every file of source ${answer.source}` : printable(answer.path);
  if (answer.kind !== 'asked') return `${what}: ${answer.reason}`;
  const who = answer.owner === null ? 'at the next slipway run' : `by process ${answer.owner}`;
  return `${what} is sent again ${who}`;
}
