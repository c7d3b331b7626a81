import { Command, type Option } from 'commander';
import { SANDBOX } from '../../config/sandbox-destination.ts';
import { presetNames } from '../../destinations/definition/presets.ts';
import { batchIds } from '../../operations/inspect/batch-ids.ts';
import { knownSources } from '../../runtime/plans/known-sources.ts';
import { COMMAND_FILES, commandsFor } from '../command-table.ts';
import { HELP_TOPICS } from '../help-topics.ts';
import { openSession, type Session } from '../session.ts';

/**
 * What fits the last word of a command line: commands, flags, and the names of what there is. Nothing where a file or a
 * value of the user's own belongs.
 * @param words what stands after `slipway`; the last one, possibly empty, is being typed
 */
export async function completions(words: readonly string[]): Promise<string[]> {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? '';
  const fitting = await candidates(before, current);
  return [...new Set(fitting)].filter((word) => word.startsWith(current)).sort();
}

async function candidates(before: readonly string[], current: string): Promise<readonly string[]> {
  const [first] = before;
  if (first === undefined)
    return [...commandNames(), 'help', ...(current.startsWith('-') ? ['--help', '--version'] : [])];
  if (first === 'help') return before.length === 1 ? [...commandNames(), ...Object.keys(HELP_TOPICS)] : [];
  if (!commandNames().includes(first)) return [];
  const { command, rest } = await commandAt(before);
  const open = optionOf(command, rest.at(-1));
  if (open !== null) return await valuesOf(open, before);
  if (current.startsWith('-')) return flagsOf(command);
  if (command.commands.length > 0) return command.commands.map((child) => child.name());
  return await argumentsOf(command, rest, before);
}

function commandNames(): string[] {
  return COMMAND_FILES.flatMap(({ names }) => names);
}

/** The command that these words lead to, and what of them follows it. */
async function commandAt(before: readonly string[]): Promise<{ command: Command; rest: readonly string[] }> {
  const program = new Command('slipway');
  for (const add of await commandsFor(before[0])) add(program, () => undefined);
  let command = program;
  let taken = 0;
  for (const word of before) {
    const child = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (child === undefined) break;
    command = child;
    taken += 1;
  }
  return { command, rest: before.slice(taken) };
}

/** The option whose value is being typed; null: none. */
function optionOf(command: Command, word: string | undefined): Option | null {
  if (word === undefined || !word.startsWith('-')) return null;
  if (word === '--config' || word === '-c' || word === '--log-level') return SHARED[word] ?? null;
  const option = command.options.find(({ long, short }) => long === word || short === word);
  return option?.required === true || option?.optional === true ? option : null;
}

const SHARED: Readonly<Record<string, Option>> = Object.fromEntries(
  new Command()
    .option('-c, --config <file>')
    .option('--log-level <level>')
    .options.flatMap((option) => [
      [option.long ?? '', option],
      [option.short ?? '', option],
    ]),
);

const LEVELS: readonly string[] = ['silent', 'error', 'warn', 'info', 'debug'];

async function valuesOf(option: Option, before: readonly string[]): Promise<readonly string[]> {
  if (option.argChoices !== undefined) return option.argChoices;
  switch (option.long) {
    case '--log-level':
      return LEVELS;
    case '--to':
      return await destinationNames(before);
    case '--source':
      return await sourceNames(before);
    case '--batch':
    case '--resume':
      return await batchesIn(before);
    default:
      return [];
  }
}

function flagsOf(command: Command): string[] {
  const own = command.options.filter(({ hidden }) => !hidden).map(({ long, short }) => long ?? short ?? '');
  return [...own, '--config', '--log-level', '--help'];
}

/** By the name that the command gives its argument. */
async function argumentsOf(
  command: Command,
  rest: readonly string[],
  before: readonly string[],
): Promise<readonly string[]> {
  const given = rest.filter(
    (word, index) => !word.startsWith('-') && optionOf(command, rest[index - 1]) === null,
  );
  const declared = command.registeredArguments;
  const argument =
    declared[given.length] ?? (declared.at(-1)?.variadic === true ? declared.at(-1) : undefined);
  if (argument === undefined) return [];
  if (argument.argChoices !== undefined) return argument.argChoices;
  const group = command.parent?.name();
  if (group === 'webhooks') return await webhookNames(before);
  if (group === 'destinations' || argument.name() === 'destination') return await destinationNames(before);
  return argument.name() === 'source' ? await sourceNames(before) : [];
}

async function destinationNames(before: readonly string[]): Promise<string[]> {
  const session = await sessionOf(before);
  return [...Object.keys(session?.config.destinations ?? {}), ...presetNames(), SANDBOX];
}

async function sourceNames(before: readonly string[]): Promise<string[]> {
  const session = await sessionOf(before);
  return session === null ? [] : (await knownSources(session.config)).map(({ name }) => name);
}

async function batchesIn(before: readonly string[]): Promise<readonly string[]> {
  const session = await sessionOf(before);
  return session === null ? [] : await batchIds(session.config.dataDir);
}

async function webhookNames(before: readonly string[]): Promise<string[]> {
  return (await sessionOf(before))?.config.webhooks.map(({ name }) => name) ?? [];
}

/** null: there is no config that can be used, and nothing is said of it here. */
async function sessionOf(before: readonly string[]): Promise<Session | null> {
  const at = before.findLastIndex((word) => word === '--config' || word === '-c');
  const config = at < 0 ? undefined : before[at + 1];
  return await openSession({ logLevel: 'silent', ...(config === undefined ? {} : { config }) }, false).catch(
    () => null,
  );
}
