import type { Command } from 'commander';
import type { Environment } from '../../config/env.ts';
import { redactConfig } from '../../config/redact.ts';
import type { ResolvedConfig } from '../../config/resolved-config.ts';
import { SANDBOX } from '../../config/sandbox-destination.ts';
import type { DestinationConfig } from '../../destinations/definition/definition-schema.ts';
import { mergeDefinition } from '../../destinations/definition/merge-definition.ts';
import { loadPreset, presetNames, presetText } from '../../destinations/definition/presets.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { writeYaml } from '../../platform/files/yaml-document.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { cellWidth, padCells } from '../screen/cell-width.ts';
import { type DestinationRow, destinationRows, presetRow } from '../screen/destination-rows.ts';
import { jsonLine } from '../screen/json-line.ts';
import { openSession, type SharedFlags } from '../session.ts';
import { addDestinationTest } from './destination-test.ts';

interface ListFlags extends SharedFlags {
  readonly json?: boolean;
  readonly preset?: boolean;
}

/** `slipway destinations list|show|test`. */
export function addDestinationsCommand(program: Command, done: (code: ExitCode) => void): void {
  const destinations = program
    .command('destinations')
    .description('the file APIs that Slipway knows')
    .addHelpText('after', '\nExample:\n  slipway destinations list\n');
  destinations
    .command('list')
    .description('what --to takes: the destinations of the config file, and the presets')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  slipway destinations list\n')
    .action(async (flags: ListFlags) => {
      await list(flags);
      done(EXIT.ok);
    });
  destinations
    .command('show')
    .description('one of them as YAML: what it sends, where, and what its answers mean')
    .argument('<name>', 'a destination of the config file, or a preset')
    .option('--json', 'print JSON')
    .option('--preset', 'the preset of that name, even where the config file has a destination called so')
    .addHelpText('after', '\nExample:\n  slipway destinations show dashscope\n')
    .action(async (name: string, flags: ListFlags) => {
      await show(name, flags);
      done(EXIT.ok);
    });
  addDestinationTest(destinations, done);
}

interface Known {
  /** null: there is no usable config file. */
  readonly config: ResolvedConfig | null;
  readonly env: Environment;
}

/** Presets are looked up while the config file is being written: its mistakes must not hide them. */
async function known(flags: SharedFlags): Promise<Known> {
  try {
    return await openSession({ logLevel: 'silent', ...flags }, false);
  } catch (error) {
    const broken = error instanceof SlipwayError && error.kind === 'config' && flags.config === undefined;
    if (!broken) throw error;
    process.stderr.write(`slipway: only presets are shown: ${error.message}\n`);
    return { config: null, env: process.env };
  }
}

async function list(flags: ListFlags): Promise<void> {
  const { config, env } = await known(flags);
  const rows = destinationRows(config, env);
  if (flags.json === true) {
    process.stdout.write(jsonLine(rows));
    return;
  }
  const configured = rows.filter(({ kind }) => kind === 'configured');
  if (configured.length > 0) {
    process.stdout.write('In the config file:\n');
    table(configured, ({ preset }) => (preset === null ? 'a definition of your own' : `preset ${preset}`));
    process.stdout.write('\nPresets, usable as --to NAME or preset: NAME:\n');
  }
  table(
    rows.filter(({ kind }) => kind === 'preset'),
    ({ title }) => title ?? '',
  );
  if (!configured.some(({ name }) => name === SANDBOX))
    process.stdout.write(`\nFor trials: --to ${SANDBOX}, a stand-in that lives as long as the command.\n`);
  process.stdout.write('\nMore about one: slipway destinations show NAME\n');
}

function table(rows: readonly DestinationRow[], about: (row: DestinationRow) => string): void {
  const cells = rows.map((row) => [
    row.name,
    row.visibility,
    about(row),
    row.needs.length === 0 ? row.url : `needs ${row.needs.map(keyOf).join(', ')}`,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((cell) => cellWidth(cell[column] ?? ''))));
  for (const cell of cells) {
    const line = cell.map((text, column) => padCells(text, widths[column] ?? 0)).join('  ');
    process.stdout.write(`  ${line.trimEnd()}\n`);
  }
}

/** `fields.purpose: is required` → `fields.purpose`; of a token the variable is what one wants to see. */
function keyOf(need: string): string {
  const [, variable] = /^token: set the environment variable (\S+)$/.exec(need) ?? [];
  return variable === undefined ? (need.split(':', 1)[0] ?? need) : `$${variable}`;
}

async function show(name: string, flags: ListFlags): Promise<void> {
  const { config, env } = await known(flags);
  if (flags.preset !== true && config !== null && Object.hasOwn(config.destinations, name)) {
    return showConfigured(name, config, env, flags);
  }
  if (!presetNames().includes(name)) {
    const choices = [...new Set([...Object.keys(config?.destinations ?? {}), ...presetNames()])];
    throw new SlipwayError('usage', {
      problem: `there is no destination ${name}: use one of ${choices.join(', ')}`,
    });
  }
  if (flags.json === true) {
    process.stdout.write(jsonLine(loadPreset(name)));
    return;
  }
  const { needs } = presetRow(name, env);
  const use =
    needs.length === 0
      ? [`# Preset ${name}. Use it: slipway upload FILE --to ${name}`]
      : [`# Preset ${name}. Before its first use it needs`, ...needs.map((need) => `#   ${need}`)];
  process.stdout.write(`${use.join('\n')}\n\n${presetText(name)}`);
}

/** A preset with the changes of the config file laid over it, secrets hidden. */
function showConfigured(name: string, config: ResolvedConfig, env: Environment, flags: ListFlags): void {
  const written = config.destinations[name] ?? {};
  const { preset } = written;
  const merged = mergeDefinition(preset === undefined ? null : loadPreset(preset), written);
  // Together they are what could have been written without a preset.
  const whole = { ...merged, ...wishesIn(written) } as DestinationConfig;
  const shown = redactConfig({ ...config, destinations: { [name]: whole } }, env).destinations;
  const definition = (shown as Record<string, unknown>)[name];
  if (flags.json === true) {
    process.stdout.write(jsonLine(definition));
    return;
  }
  const from = preset === undefined ? '' : `: preset ${preset} with the changes made there`;
  const [row] = destinationRows(config, env).filter((other) => other.name === name);
  const lines = [
    `# Destination ${name} of the config file${from}`,
    `# It uploads to ${row?.url}`,
    ...(row?.needs ?? []).map((need) => `# It needs ${need}`),
  ];
  process.stdout.write(`${lines.join('\n')}\n\n${writeYaml(definition)}`);
}

/** What is no part of a definition. */
function wishesIn(written: DestinationConfig): object {
  const wishes = ['acknowledgePublic', 'waitUntilReady', 'concurrency'] as const;
  return Object.fromEntries(
    wishes.filter((key) => written[key] !== undefined).map((key) => [key, written[key]]),
  );
}
