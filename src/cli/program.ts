import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { commandsFor } from './command-table.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { HELP_TOPICS } from './help-topics.ts';

/** A command line that could not be understood, or asked for help; commander has already printed what to say. */
export class UsageProblem extends Error {
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode) {
    super('usage');
    this.exitCode = exitCode;
  }
}

/** As much of the command line described as this one asks for. @returns the exit code of what it did */
export async function runProgram(argv: readonly string[]): Promise<ExitCode> {
  if (argv[2] === COMPLETE_WORDS) return await completeWords(argv.slice(3));
  const topic = argv[2] === 'help' && Object.hasOwn(HELP_TOPICS, argv[3] ?? '') ? argv[3] : undefined;
  if (topic !== undefined) {
    process.stdout.write(HELP_TOPICS[topic]?.() ?? '');
    return EXIT.ok;
  }
  let exitCode: ExitCode = EXIT.ok;
  const program = new Command('slipway')
    .description('Drop files into a folder, get URLs and ids out.')
    .version(packageVersion())
    .showHelpAfterError('(add --help for what it takes, with an example)')
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      '\nExamples:\n  slipway run ./inbox --to dashscope      watch a folder; the results are in inbox.manifest.json\n  slipway upload report.pdf --to openai   one file, now\n\nMore: slipway help COMMAND, slipway help exit-codes, slipway help environment\n',
    )
    .exitOverride();
  for (const add of await commandsFor(argv[2])) {
    add(program, (code) => {
      exitCode = code;
    });
  }
  for (const command of everyCommand(program)) {
    command.exitOverride();
    // A group would take the flag away from the command below it.
    if (command.commands.length === 0) withSharedOptions(command);
  }
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new UsageProblem(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
  }
  return exitCode;
}

/** What the scripts of `slipway completion` ask: what fits the last of these words, one a line. */
const COMPLETE_WORDS = 'complete-words';

async function completeWords(words: readonly string[]): Promise<ExitCode> {
  const { completions } = await import('./work/completions.ts');
  const found = await completions(words[0] === '--' ? words.slice(1) : words).catch(() => []);
  process.stdout.write(found.map((word) => `${word}\n`).join(''));
  return EXIT.ok;
}

/** Flags carry no defaults of their own: flag > environment > file > default is decided in one place. */
function withSharedOptions(command: Command): void {
  command
    .addOption(new Option('-c, --config <file>', 'config file (else $SLIPWAY_CONFIG, else ./slipway.yaml)'))
    .addOption(
      new Option('--log-level <level>', 'what is logged').choices([
        'silent',
        'error',
        'warn',
        'info',
        'debug',
      ]),
    );
}

function everyCommand(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...everyCommand(child)]);
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
