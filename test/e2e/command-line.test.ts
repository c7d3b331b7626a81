/** The command line itself: help with examples, suggestions, `config`, `destinations`, `sandbox`, the launcher. */
import { execFileSync } from 'node:child_process';
import { readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { expect, test, vi } from 'vitest';
import { logLines, STACK_TRACE } from '../support/cli.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('--help of every command shows a real example', async () => {
  const place = await newWorkplace();
  const commandsIn = (help: string): string[] =>
    [...(help.split('\nCommands:\n')[1]?.split('\n\n')[0] ?? '').matchAll(/^ {2}([\w-]+)/gm)].map(
      ([, name = '']) => name,
    );
  const visited: string[] = [];
  const visit = async (path: readonly string[]): Promise<void> => {
    const args = [...path, '--help'];
    // One as a process of its own: that it ends is a fact about processes.
    const { code, stdout, stderr } = await (path.length === 0 ? place.run(args) : place.read(args));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    visited.push(path.join(' '));
    // An example is of this very command, or of one below it, or is piped into something.
    const examples = stdout.split(/\nExamples?\b.*:\n/)[1] ?? '';
    expect
      .soft(examples, `example of \`${path.join(' ')}\``)
      .toContain(`slipway ${path.join(' ')}`.trimEnd());
    const below = commandsIn(stdout).filter((name) => name !== 'help');
    await Promise.all(below.map((name) => visit([...path, name])));
  };
  await visit([]);
  for (const known of [
    'run',
    'upload',
    'status',
    'sandbox',
    'config show',
    'config check',
    'destinations list',
  ]) {
    expect(visited).toContain(known);
  }
});

test('a command loads its own file alone, and what is about all of them loads each', async () => {
  // As it was built: through the test runner all of the product would be read again.
  const { COMMAND_FILES, commandsFor } = createRequire(import.meta.url)(
    '../../dist/cli/command-table.js',
  ) as typeof import('../../src/cli/command-table.ts');
  for (const { names, load } of COMMAND_FILES) {
    const program = new Command();
    (await load())(program, () => undefined);
    const described = program.commands.flatMap((command) => [command.name(), ...command.aliases()]);
    expect(described.toSorted()).toEqual(names.toSorted());
    for (const name of names) expect(await commandsFor(name), name).toHaveLength(1);
  }
  for (const asked of [undefined, '--help', 'help', 'stauts', '-c'])
    expect(await commandsFor(asked), String(asked)).toHaveLength(COMMAND_FILES.length);
  expect(await commandsFor('--version')).toEqual([]);
});

test.for([
  { args: ['stauts'], meant: 'status' },
  { args: ['run', '--onec'], meant: '--once' },
  { args: ['config', 'shwo'], meant: 'show' },
  { args: ['upload', 'a.txt', '--prnt', 'url'], meant: '--print' },
])('$args is refused with 2 and the word that was meant', async ({ args, meant }) => {
  const place = await newWorkplace();
  const { code, stdout, stderr } = await place.read(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(`Did you mean ${meant}?`);
  expect(stderr).not.toMatch(STACK_TRACE);
});

test.for([
  { args: [], says: 'Usage: slipway' },
  { args: ['config'], says: 'Usage: slipway config' },
  { args: ['upload'], says: "missing required argument 'file'" },
  { args: ['upload', 'a', '--print', 'everything'], says: 'Allowed choices are receipt, raw, url' },
  { args: ['run', '--give-up', 'soon'], says: 'give a duration such as' },
  { args: ['run', '--give-up', '5s'], says: '--give-up goes with --once' },
  { args: ['status', '--log-level', 'loud'], says: 'Allowed choices are silent' },
])('$args is refused with 2 and says what it takes', async ({ args, says }) => {
  const place = await newWorkplace();
  const { code, stdout, stderr } = await place.read(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(says);
});

test('--version is the version of package.json', async () => {
  const place = await newWorkplace();
  const { version } = JSON.parse(await readFile(`${root}package.json`, 'utf8')) as { version: string };
  expect(await place.run(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
});

test('config show prints the whole resolved configuration with its secrets hidden', async () => {
  const place = await newWorkplace();
  await place.file('.env', 'REDIS_PASSWORD=open-sesame\nHOOK=abc\n');
  const redis = { url: 'redis://u:$'.concat('{REDIS_PASSWORD}@127.0.0.1:6380/2') };
  const demo = { preset: 'autoglm', token: { value: 'a-literal-token' } };
  await place.config(inboxConfig(demo, { redis }));
  const { code, stdout } = await place.read(['config', 'show']);
  expect(code).toBe(0);
  const shown = JSON.parse(stdout);
  expect(shown).toMatchObject({
    dataDir: place.path('data'),
    sources: {
      inbox: { path: place.path('inbox'), manifest: place.path('inbox.manifest.json'), rescan: '5m' },
    },
    shutdown: { drain: '30s' },
  });
  expect(stdout).not.toContain('open-sesame');
  expect(stdout).not.toContain('a-literal-token');
  expect(shown.redis.url).toContain('127.0.0.1:6380/2');
});

test('what is only discouraged is a warning on stderr, and stdout stays data', async () => {
  const place = await newWorkplace();
  await place.config(inboxConfig({ preset: 'autoglm', token: { value: 'a-literal-token' } }));
  const [there, here] = [await place.run(['status', '--json']), await place.read(['status', '--json'])];
  for (const { code, stdout, stderr } of [there, here]) {
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ running: false });
    const warnings = logLines(stderr);
    expect(warnings).toMatchObject([{ level: 40, msg: expect.stringContaining('token.value') }]);
    expect(stderr).not.toContain('a-literal-token');
  }
});

test('every command takes --config, wherever it stands', async () => {
  const place = await newWorkplace();
  await place.file('other/conf.yaml', 'log: { level: loud }\n');
  for (const args of [['config', 'check'], ['config', 'show'], ['status'], ['run']]) {
    const { code, stderr } = await place.read([...args, '--config', 'other/conf.yaml']);
    expect([args, code]).toEqual([args, 2]);
    expect(stderr).toContain('other/conf.yaml:1: log.level');
  }
  const env = { ...place.env, SLIPWAY_CONFIG: 'other/conf.yaml' };
  expect((await place.read(['config', 'check'], { env })).stderr).toContain('other/conf.yaml:1: log.level');
});

test('config check says ok, config schema is the published one, destinations list what there is', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  const check = await place.read(['config', 'check', '--json']);
  expect(check.code).toBe(0);
  expect(JSON.parse(check.stdout)).toEqual({ ok: true, problems: [], warnings: [] });
  const schema = await place.read(['config', 'schema']);
  const published = await readFile(`${root}config/slipway.schema.json`, 'utf8');
  expect(schema.stdout === published, 'config schema prints config/slipway.schema.json').toBe(true);
  const list = await place.read(['destinations', 'list', '--json']);
  const names = (JSON.parse(list.stdout) as { name: string; visibility: string }[]).map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['autoglm', 'vectorx', 'openai', 'dashscope']));
  const show = await place.read(['destinations', 'show', 'autoglm']);
  expect(show.stdout).toContain('visibility: public');
  expect((await place.read(['destinations', 'show', 'nosuch'])).code).toBe(2);
});

test('sandbox prints where it listens, serves a run of another process, and ends with a signal', async () => {
  const place = await newWorkplace();
  const sandbox = place.start(['sandbox', '--json', '--write-env', 'sandbox.env']);
  await vi.waitFor(() => expect(sandbox.stdout()).toContain('\n'), { timeout: 20_000 });
  const addresses = JSON.parse(sandbox.stdout()) as Record<string, string>;
  expect(await readFile(place.path('sandbox.env'), 'utf8')).toBe(
    Object.entries(addresses)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  const {
    SLIPWAY_SANDBOX_API: url,
    SLIPWAY_SANDBOX_TOKEN: token,
    SLIPWAY_SANDBOX_ORIGIN: origin,
  } = addresses;
  await place.config(inboxConfig({ preset: 'autoglm', url, token: { url: token } }));
  await place.file('inbox/a.txt', 'a');
  expect((await place.run(['run', '--once'])).code).toBe(0);
  expect(await (await fetch(`${origin}/_received?summary=1`)).json()).toMatchObject({ count: 1 });
  sandbox.signal('SIGTERM');
  expect((await sandbox.ended).code).toBe(0);
});

test('sandbox refuses faults it does not know in one line', async () => {
  const place = await newWorkplace();
  for (const faults of ['[{"action":"explode"}]', 'not json']) {
    const { code, stderr } = await place.read(['sandbox', '--faults', faults]);
    expect([faults, code]).toEqual([faults, 2]);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toContain('faults');
  }
});

test('scripts/slipway runs the CLI from any folder, through a symlink, with the folder it was called in', async () => {
  const place = await newWorkplace();
  await symlink(`${root}scripts/slipway`, place.path('slipway'));
  await place.file('slipway.yaml', 'log: { level: info }\n');
  const output = execFileSync('./slipway', ['config', 'check'], {
    cwd: place.folder,
    env: place.env,
    encoding: 'utf8',
  });
  expect(output).toBe(`${place.path('slipway.yaml')}: ok\n`);
});
