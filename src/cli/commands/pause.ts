import type { Command } from 'commander';
import { pauseText } from '../../domain/pause-list.ts';
import { type PauseAnswer, pauseWork, resumeWork } from '../../operations/control/pause-command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { jsonLine } from '../screen/json-line.ts';
import { print } from '../screen/output.ts';
import { printable } from '../screen/terminal.ts';
import { openSession, type SharedFlags } from '../session.ts';

interface PauseFlags extends SharedFlags {
  readonly source?: string;
  readonly batch?: string;
  readonly json?: boolean;
}

/** `slipway pause` and `slipway resume`. */
export function addPauseCommands(program: Command, done: (code: ExitCode) => void): void {
  const add = (name: 'pause' | 'resume', description: string, help: string): void => {
    program
      .command(name)
      .description(description)
      .argument('[destination]', 'a destination; without it, and without --source or --batch, everything')
      .option('--source <name>', 'one source instead')
      .option('--batch <id>', 'one batch instead')
      .option('--json', 'print everything that is paused now, as JSON')
      .addHelpText('after', help)
      .action(async (destination: string | undefined, flags: PauseFlags) => {
        done(await pauseOrResume(name, destination, flags));
      });
  };
  add(
    'pause',
    'send nothing more, for now: uploads under way finish, files are still found and kept; survives restarts',
    '\nExamples:\n  slipway pause                     everything\n  slipway pause autoglm             one destination\n  slipway pause --source inbox      one source; the others go on\n',
  );
  add(
    'resume',
    'send again; a destination that is stopped or down is tried at once',
    '\nExamples:\n  slipway resume\n  slipway resume autoglm            also after a new token, or when the account has room again\n',
  );
}

async function pauseOrResume(
  name: 'pause' | 'resume',
  destination: string | undefined,
  flags: PauseFlags,
): Promise<ExitCode> {
  const { config, log } = await openSession(flags, false);
  const options = { config, named: { destination, source: flags.source, batch: flags.batch }, log };
  const answer = name === 'pause' ? await pauseWork(options, Date.now()) : await resumeWork(options);
  await print(flags.json === true ? jsonLine(answer.list) : text(answer));
  if (answer.redisTrouble !== null) {
    process.stderr.write(
      `slipway: only processes on this data folder know of it yet: ${printable(answer.redisTrouble)}\n`,
    );
  }
  return EXIT.ok;
}

function text({ list, changed, lifted }: PauseAnswer): string {
  const freed = lifted.map(
    ({ source, message }) =>
      `source ${printable(source)}: no longer: ${printable(message.split(';')[0] ?? '')}\n`,
  );
  const paused = list.paused.map((pause) => `${printable(pauseText(pause))}\n`);
  const lines = paused.length === 0 ? ['nothing is paused\n'] : paused;
  return `${changed ? '' : 'nothing to change: '}${[...freed, ...lines].join('')}`;
}
