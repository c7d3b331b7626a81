/** What a shell and the one who sits before it are told: completion, help that is about no command, warnings, what is left behind. */
import { execFileSync } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { COMMAND_FILES } from '../../src/cli/command-table.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { BUILT_CLI } from '../support/built-cli.ts';
import { errorLine } from '../support/cli.ts';
import { newWorkplace } from '../support/workplace.ts';

const ESC = '\u001b';

test('complete-words knows commands, flags, sources, destinations, batches and the values of choices', async () => {
  const place = await newWorkplace();
  const fitting = async (...words: string[]): Promise<string[]> => {
    const { stdout, stderr, code } = await place.read(['complete-words', '--', ...words]);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    return stdout.split('\n').filter((word) => word !== '');
  };
  for (const { names } of COMMAND_FILES)
    for (const name of names) expect(await fitting(name)).toContain(name);
  expect(await fitting('up')).toEqual(['upload']);
  expect(await fitting('upload', '--to', 'dash')).toEqual(['dashscope']);
  expect(await fitting('upload', '--print', 'r')).toEqual(['raw', 'receipt', 'ref']);
  expect(await fitting('ingest', '--de')).toEqual(['--detach']);
  expect(await fitting('destinations', '')).toEqual(['list', 'show', 'test']);
  expect(await fitting('completion', '')).toEqual(['bash', 'fish', 'zsh']);
  expect(await fitting('help', 'ex')).toEqual(['exit-codes']);
  expect(await fitting('upload', '')).toEqual([]);

  await place.config({
    destinations: { mine: { preset: 'openai' } },
    sources: { scans: { path: './inbox', destination: 'mine' } },
  });
  expect(await fitting('destinations', 'test', 'mi')).toEqual(['mine', 'minimax', 'mistral']);
  expect(await fitting('failed', 'list', '--source', '')).toEqual(['scans']);
  expect(await fitting('pause', 'min')).toEqual(['mine', 'minimax']);
  await place.file('more/a.txt', 'one');
  const sent = await place.run(['ingest', 'more', '--to', 'sandbox', '--json']);
  const { batch } = JSON.parse(sent.stdout.trim().split('\n').at(-1) ?? '') as { batch: string };
  expect(await fitting('ingest', '--resume', '')).toEqual([batch]);
  expect(await fitting('resend', '--batch', batch.slice(0, 4))).toEqual([batch]);
  // A config that cannot be used hides nothing that does not come from it.
  await place.file('slipway.yaml', 'sources: [');
  expect(await fitting('upload', '--to', 'dash')).toEqual(['dashscope']);
});

test('the script for bash completes through the command itself', async () => {
  const place = await newWorkplace();
  const { stdout: script } = await place.read(['completion', 'bash']);
  const asked = `${script}
slipway() { '${process.execPath}' '${BUILT_CLI}' "$@"; }
COMP_WORDS=(slipway upload --to dash); COMP_CWORD=3; _slipway; echo "\${COMPREPLY[@]}"`;
  const answer = execFileSync('bash', ['-c', asked], { cwd: place.folder, env: place.env, encoding: 'utf8' });
  expect(answer).toBe('dashscope\n');
});

test.for(['zsh', 'fish'])('the script for %s asks complete-words and falls back to files', async (shell) => {
  const place = await newWorkplace();
  const { stdout, code } = await place.read(['completion', shell]);
  expect(code).toBe(0);
  expect(stdout).toContain('complete-words --');
  expect(stdout).toMatch(/_files|__fish_complete_path/);
});

test('help exit-codes and help environment say all that the contract says', async () => {
  const place = await newWorkplace();
  const codes = (await place.read(['help', 'exit-codes'])).stdout;
  for (const code of Object.values(EXIT)) expect(codes).toMatch(new RegExp(`\\b${code}\\b`));
  const variables = (await place.read(['help', 'environment'])).stdout;
  const contract = await readFile(new URL('../../docs/contract.md', import.meta.url), 'utf8');
  const [, line = ''] = /Environment that is read: (.*)/.exec(contract) ?? [];
  for (const [, name = ''] of line.matchAll(/`([A-Z_]+)`/g)) expect(variables).toContain(name);
  expect((await place.read(['help', 'run'])).stdout).toContain('Usage: slipway run');
  expect((await place.read(['--help'])).stdout).toContain('slipway help exit-codes');
});

test('upload --print url where there is no URL is refused before anything is sent', async () => {
  const place = await newWorkplace();
  await place.file('a.txt', 'one');
  const refused = await place.read(['upload', 'a.txt', '--to', 'sandbox', '--print', 'url']);
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(errorLine(refused)).toContain('--print ref');
  // A definition that reads a URL from an answer that holds none.
  await place.config({
    destinations: {
      odd: { preset: 'openai', url: 'http://127.0.0.1:1/', answer: { url: '/link' }, token: { env: 'HOME' } },
    },
  });
  const other = await place.read(['upload', 'a.txt', '--to', 'openai', '--print', 'url']);
  expect(errorLine(other)).toContain('openai answers no URL');
});

test('a command that is refused registers no source, and a file for run names upload', async () => {
  const place = await newWorkplace();
  await place.file('one/a.txt', 'one');
  await place.file('two/a.txt', 'one');
  const sources = async (): Promise<string[]> =>
    readdir(place.path('home/.local/state/slipway/sources')).catch(() => []);
  for (const args of [
    ['run', 'one', 'missing', '--to', 'sandbox'],
    ['run', 'one', '--to', 'autoglm', '--once'],
    ['run', 'one', 'two', '--to', 'sandbox', '--meta-from', 'list.jsonl'],
    ['ingest', 'one', 'two', '--to', 'sandbox', '--manifest', 'm.json'],
    ['ingest', 'one', 'missing.zip', '--to', 'sandbox'],
  ]) {
    const refused = await place.read(args);
    expect(refused.code, args.join(' ')).toBe(2);
    expect(await sources(), args.join(' ')).toEqual([]);
  }
  expect((await place.read(['ingest', 'one', '--to', 'sandbox', '--dry-run'])).code).toBe(0);
  expect(await sources()).toEqual([]);
  const file = await place.read(['run', 'one/a.txt', '--to', 'sandbox']);
  expect(file.code).toBe(2);
  expect(errorLine(file)).toContain('slipway upload one/a.txt');
});

test('a clean end leaves no lock beside the folder', async () => {
  const place = await newWorkplace();
  await place.file('one/a.txt', 'one');
  expect((await place.run(['run', 'one', '--to', 'sandbox', '--once'])).code).toBe(0);
  const left = await readdir(place.folder);
  expect(left.filter((name) => name.startsWith('.slipway-'))).toEqual([]);
  expect(left).toContain('one.manifest.jsonl');
});

test.runIf(hasScript())(
  'warnings of the configuration are words at a terminal, once a day for a file',
  async () => {
    const place = await newWorkplace();
    await place.config({
      destinations: { mine: { preset: 'openai', token: { value: 'sk-x' } } },
      sources: { outer: { path: '.', destination: 'mine' }, inner: { path: './inbox', destination: 'mine' } },
    });
    const atTerminal = (env: NodeJS.ProcessEnv = {}) =>
      place.run(['status'], {
        interactive: true,
        env: { ...place.env, ...env },
        through: (command) => [
          'script',
          '-qefc',
          `exec ${command.map((word) => `'${word}'`).join(' ')}`,
          '/dev/null',
        ],
      });
    const first = await atTerminal({ TERM: 'xterm' });
    expect(first.stdout).toMatch(/!\S* slipway\.yaml:1: .*lies inside the folder of source outer/);
    expect(first.stdout).not.toContain('"level"');
    expect(first.stdout).toContain(ESC);
    expect((await atTerminal()).stdout).not.toContain('lies inside');
    expect((await stat(place.path('home/.cache/slipway/warned.json'))).mode & 0o777).toBe(0o600);
    const dumb = await atTerminal({ TERM: 'dumb', XDG_CACHE_HOME: place.path('other') });
    expect(dumb.stdout).toContain('lies inside');
    expect(dumb.stdout).not.toContain(ESC);
    // A service's log has them at each start.
    for (let start = 0; start < 2; start += 1)
      expect((await place.read(['status'])).stderr).toContain('lies inside the folder');
  },
);

function hasScript(): boolean {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux');
  } catch {
    return false;
  }
}
