import type { Command } from 'commander';
import { loadPreset, presetNames } from '../../destinations/presets.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { writeYaml } from '../../platform/yaml-document.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';

interface ListFlags {
  readonly json?: boolean;
}

/** `slipway destinations list|show`. */
export function addDestinationsCommand(program: Command, done: (code: ExitCode) => void): void {
  const destinations = program
    .command('destinations')
    .description('the file APIs that Slipway knows')
    .addHelpText('after', '\nExample:\n  slipway destinations list\n');
  destinations
    .command('list')
    .description('the presets: what can be named with --to or preset:')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  slipway destinations list\n')
    .action((flags: ListFlags) => {
      list(flags);
      done(EXIT.ok);
    });
  destinations
    .command('show')
    .description('one preset as YAML: what it sends, where, and what its answers mean')
    .argument('<name>')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  slipway destinations show dashscope\n')
    .action((name: string, flags: ListFlags) => {
      show(name, flags);
      done(EXIT.ok);
    });
}

function list(flags: ListFlags): void {
  const rows = presetNames().map((name) => {
    const { visibility, verified, checked, url } = loadPreset(name);
    return { name, visibility, verified, checked, url };
  });
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify(rows)}\n`);
    return;
  }
  const width = Math.max(...rows.map(({ name }) => name.length));
  for (const { name, visibility, checked, url } of rows) {
    process.stdout.write(`${name.padEnd(width)}  ${String(visibility).padEnd(8)} ${checked}  ${url}\n`);
  }
}

function show(name: string, flags: ListFlags): void {
  if (!presetNames().includes(name)) {
    throw new SlipwayError('usage', {
      problem: `there is no preset ${name}: use one of ${presetNames().join(', ')}`,
    });
  }
  const preset = loadPreset(name);
  process.stdout.write(flags.json === true ? `${JSON.stringify(preset)}\n` : writeYaml(preset));
}
