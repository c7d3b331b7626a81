import type { Command } from 'commander';
import { SlipwayError } from '../../domain/errors.ts';
import { type ResendAnswer, resendFile, resendSources } from '../../operations/control/resend.ts';
import { type KnownSource, knownSources, meantSources } from '../../runtime/plans/known-sources.ts';
import { withWords } from '../../runtime/plans/said-destination.ts';
import { ownPathsOf } from '../../runtime/plans/source-plans.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { jsonLine } from '../screen/json-line.ts';
import { print } from '../screen/output.ts';
import { printable } from '../screen/terminal.ts';
import { openSession, type Session, type SharedFlags } from '../session.ts';
import { addDestinationOptions, type DestinationFlags, wordsWithTo } from '../work/destination-flags.ts';
import { resendTo } from '../work/resend-to.ts';

interface ResendFlags extends SharedFlags, DestinationFlags {
  readonly source?: string;
  readonly batch?: string;
  readonly to?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `slipway resend`. */
export function addResendCommand(program: Command, done: (code: ExitCode) => void): void {
  addDestinationOptions(program.command('resend'))
    .description(
      'send again what is recorded already, as its next generation; exit 6 for a file that is gone',
    )
    .argument('[path]', 'on disk, or as the manifest shows it; without it every file of --source or --batch')
    .option('--source <name>', 'the source it belongs to')
    .option('--batch <id>', 'the files of a batch')
    .option('--to <destination>', 'send there instead, now, with a manifest of its own')
    .option('-y, --yes', 'I know that a public destination makes the files readable by anyone (with --to)')
    .option('--json', 'print each answer as a JSON line; with --to each receipt')
    .addHelpText(
      'after',
      '\nA running process is asked over Redis, on whatever host, and sends it; without one the next start does.\n\nExamples:\n  slipway resend inbox/report.pdf\n  slipway resend --source inbox\n  slipway resend inbox/report.pdf --to openai\n',
    )
    .action(async (path: string | undefined, flags: ResendFlags) => {
      done(await resend(path, flags));
    });
}

async function resend(path: string | undefined, flags: ResendFlags): Promise<ExitCode> {
  if (path === undefined && flags.source === undefined && flags.batch === undefined) {
    throw new SlipwayError('usage', {
      problem: 'what is to be sent again? Give a PATH, --batch, or --source for all of its files',
    });
  }
  if (path !== undefined && flags.batch !== undefined) {
    throw new SlipwayError('usage', {
      problem: 'a PATH and --batch contradict each other: give one of them',
    });
  }
  const session = withWords(await openSession(flags, false), flags.to, wordsWithTo(flags));
  const sources = await meantSources(session.config, flags.source);
  const here = (some: readonly KnownSource[]): Promise<ExitCode> => resendHere(path, some, session, flags);
  if (flags.to === undefined) return await here(sources);
  const words = { path, batch: flags.batch };
  return await resendTo(flags.to, words, { sources, session, flags, here });
}

async function resendHere(
  path: string | undefined,
  sources: readonly KnownSource[],
  session: Session,
  flags: ResendFlags,
): Promise<ExitCode> {
  const { config, log } = session;
  const plans = (await knownSources(config)).map(({ plan }) => plan);
  const common = { sources, dataDir: config.dataDir, redis: config.redis, log };
  const answers =
    path === undefined
      ? await resendSources({ ...common, batch: flags.batch ?? null })
      : await resendFile({
          ...common,
          path,
          ownPaths: ownPathsOf(session, plans),
          cwd: process.cwd(),
          nowMs: Date.now(),
        });
  for (const answer of answers) {
    if (flags.json === true) await print(jsonLine(answer));
    else if (answer.kind === 'asked') await print(`${sentence(answer)}\n`);
    else process.stderr.write(`slipway: ${sentence(answer)}\n`);
  }
  return answers.some(({ kind }) => kind !== 'refused') ? EXIT.ok : EXIT.permanent;
}

function sentence(answer: ResendAnswer): string {
  if (answer.kind !== 'asked') return `${whatOf(answer)}: ${answer.reason}`;
  const who = answer.owner === null ? 'at the next slipway run' : `by process ${answer.owner}`;
  return `${whatOf(answer)} is sent again ${who}`;
}

function whatOf({ path, source, ...answer }: ResendAnswer): string {
  if (path !== null) return printable(path);
  if (source === null) return 'nothing';
  const files = 'files' in answer ? ` (${answer.files})` : '';
  return `every file of source ${source}${files}`;
}
