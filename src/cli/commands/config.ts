import type { Command } from 'commander';
import { findConfigFile } from '../../config/find-config.ts';
import { publishedJsonSchema } from '../../config/json-schema.ts';
import { checkConfig, loadConfig } from '../../config/load-config.ts';
import { redactConfig } from '../../config/redact.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { jsonLine, jsonText } from '../screen/json-line.ts';
import type { SharedFlags } from '../session.ts';

/** `slipway config show|check|schema`. */
export function addConfigCommand(program: Command, done: (code: ExitCode) => void): void {
  const config = program
    .command('config')
    .description('show, check or describe the configuration')
    .addHelpText('after', '\nExample:\n  slipway config check\n');
  config
    .command('show')
    .description('the resolved configuration, every default filled in, secrets hidden')
    .option('--json', 'as JSON (it is JSON either way; kept for scripts)')
    .addHelpText('after', '\nExample:\n  slipway config show | jq .sources\n')
    .action(async (flags: SharedFlags) => {
      done(await show(flags));
    });
  config
    .command('check')
    .description('every mistake at once, each with its line and the fix; exit 2 when there is one')
    .option('--json', 'print {"ok", "problems", "warnings"}')
    .addHelpText('after', '\nExample:\n  slipway config check --config slipway.yaml\n')
    .action(async (flags: SharedFlags & { readonly json?: boolean }) => {
      done(await check(flags));
    });
  config
    .command('schema')
    .description('the JSON Schema of the config file, for editors')
    .addHelpText('after', '\nExample:\n  slipway config schema > slipway.schema.json\n')
    .action(() => {
      process.stdout.write(`${JSON.stringify(publishedJsonSchema(), null, 2)}\n`);
      done(EXIT.ok);
    });
}

async function show(flags: SharedFlags): Promise<ExitCode> {
  const loaded = await loadConfig(await inputOf(flags));
  process.stdout.write(`${jsonText(redactConfig(loaded.config, loaded.env), 2)}\n`);
  return EXIT.ok;
}

async function check(flags: SharedFlags & { readonly json?: boolean }): Promise<ExitCode> {
  const input = await inputOf(flags);
  if (input.file === null) throw new SlipwayError('config_missing', { file: 'slipway.yaml' });
  const result = await checkConfig(input);
  const problems = result.ok ? [] : result.problems;
  const warnings = result.ok ? result.loaded.warnings : [];
  if (flags.json === true) {
    process.stdout.write(jsonLine({ ok: result.ok, problems, warnings }));
  } else {
    for (const line of problems) process.stderr.write(`${line}\n`);
    for (const line of warnings) process.stderr.write(`warning: ${line}\n`);
    if (result.ok) process.stdout.write(`${input.file}: ok\n`);
  }
  return result.ok ? EXIT.ok : EXIT.usage;
}

async function inputOf(flags: SharedFlags): Promise<Parameters<typeof loadConfig>[0]> {
  const cwd = process.cwd();
  const file = await findConfigFile({ flag: flags.config, env: process.env, cwd });
  return { file, env: process.env, cwd, flags: { logLevel: flags.logLevel } };
}
