import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { DEFAULT_CONFIG } from '../../config/find-config.ts';
import { checkConfig } from '../../config/load-config.ts';
import { SANDBOX } from '../../config/sandbox-destination.ts';
import { STARTER_SECRET, starterConfig } from '../../config/starter-config.ts';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { newSecret } from '../../operations/webhooks/webhook-test.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { print } from '../screen/output.ts';
import { printable } from '../screen/terminal.ts';
import type { SharedFlags } from '../session.ts';
import { addDestinationOptions } from '../work/destination-flags.ts';
import { type InitFlags, starterAnswers } from '../work/starter-answers.ts';

/** `slipway init`. */
export function addInitCommand(program: Command, done: (code: ExitCode) => void): void {
  addDestinationOptions(program.command('init'))
    .description('write a first slipway.yaml, with comments; asks at a terminal for what no flag says')
    .option('--folder <path>', 'the folder to watch; made where there is none (default ./inbox)')
    .option('--to <destination>', 'a preset (slipway destinations list), or sandbox')
    .option('--sandbox', 'for a trial: files go to a stand-in in the process itself')
    .option('--key <variable>', 'the environment variable that holds the key (not the key)')
    .option('--webhook <url>', 'who is told what has settled')
    .option('-y, --yes', 'I know that a public destination makes the files readable by anyone; no questions')
    .option('--force', 'replace the file that is there')
    .addHelpText(
      'after',
      '\nExamples:\n  slipway init\n  slipway init --folder ./inbox --to dashscope\n  slipway init --sandbox && slipway run --once\n',
    )
    .action(async (flags: InitFlags & SharedFlags & { readonly force?: boolean }) => {
      done(await init(flags));
    });
}

async function init(flags: InitFlags & SharedFlags & { readonly force?: boolean }): Promise<ExitCode> {
  const cwd = process.cwd();
  const file = resolve(cwd, flags.config ?? process.env.SLIPWAY_CONFIG ?? DEFAULT_CONFIG);
  if (flags.force !== true && (await isThere(file))) {
    throw new SlipwayError('usage', {
      problem: `${file} is there already: change it, pass --force to replace it, or --config FILE for another one`,
    });
  }
  const answers = await starterAnswers(flags);
  const text = starterConfig(answers);
  const secret = answers.webhook === null || (await hasSecret(file)) ? null : newSecret();
  const env = { ...process.env, ...(secret === null ? {} : { [STARTER_SECRET]: secret }) };
  const check = await checkConfig({ file: null, text, env, cwd: dirname(file) });
  // A mistake can only be in what the user said: the rest is ours, and tested.
  if (!check.ok) throw new SlipwayError('config_invalid', { problem: check.problems.join('; ') });
  const folder = resolve(dirname(file), answers.folder);
  try {
    await mkdir(dirname(file), { recursive: true });
    await mkdir(folder, { recursive: true });
    if (secret !== null) await keepSecret(join(dirname(file), '.env'), secret);
    await writeFile(file, text, { mode: 0o600, flag: flags.force === true ? 'w' : 'wx' });
  } catch (error) {
    throw new SlipwayError('usage', {
      problem: `cannot write ${file} (${reasonOf(error)}): correct the path`,
    });
  }
  const named = file === resolve(cwd, DEFAULT_CONFIG) ? '' : ` --config ${printable(file)}`;
  const needs = answers.to === SANDBOX ? null : answers.needsKey;
  await print(
    [
      `${printable(file)} is written; it watches ${printable(folder)} and sends to ${answers.to}`,
      ...(secret === null
        ? []
        : [`the secret of the webhook is in ${printable(join(dirname(file), '.env'))}`]),
      'next:',
      ...(needs === null
        ? []
        : [`  export ${needs}=…            the key, or ${needs}=… in .env beside the file`]),
      ...(answers.to === SANDBOX ? [] : [`  slipway destinations test ${answers.to}${named}`]),
      `  slipway run${named}`,
      '',
    ].join('\n'),
  );
  return EXIT.ok;
}

async function isThere(file: string): Promise<boolean> {
  return readFile(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}

async function hasSecret(file: string): Promise<boolean> {
  const text = await readFile(join(dirname(file), '.env'), 'utf8').catch(() => '');
  return (
    process.env[STARTER_SECRET] !== undefined ||
    new RegExp(`^\\s*(export\\s+)?${STARTER_SECRET}=`, 'm').test(text)
  );
}

async function keepSecret(path: string, secret: string): Promise<void> {
  const before = await readFile(path, 'utf8').catch(() => '');
  const gap = before === '' || before.endsWith('\n') ? '' : '\n';
  await appendFile(path, `${gap}${STARTER_SECRET}=${secret}\n`, { mode: 0o600 });
}
