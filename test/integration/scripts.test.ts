/** The shell scripts, in a project of their own with stand-ins for npm and the system's package manager. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** What the scripts use of a system; everything else is hidden, a Redis above all. */
const TOOLS =
  'sh cat chmod cut dirname env find head id mkdir mv readlink rm sha256sum shasum touch tr'.split(' ');

interface Project {
  readonly folder: string;
  run(
    script: string,
    options?: { args?: readonly string[]; cwd?: string },
  ): {
    readonly status: number | null;
    readonly stdout: string;
    readonly stderr: string;
  };
  /** Puts a program on PATH. */
  program(name: string, shell: string): void;
  /** What the stand-ins were called with, in order. */
  calls(): readonly string[];
}

function newProject(): Project {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sw-scripts-')));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const bin = join(folder, 'path');
  for (const name of ['scripts', 'src', 'path', 'bin']) mkdirSync(join(folder, name));
  for (const name of ['scripts/setup', 'scripts/slipway', 'bin/slipway.cjs'])
    cpSync(join(root, name), join(folder, name));
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json']) {
    writeFileSync(join(folder, name), '{}');
  }
  for (const tool of TOOLS) {
    const found = spawnSync('/bin/sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim();
    if (found.startsWith('/')) symlinkSync(found, join(bin, tool));
  }
  const log = join(folder, 'calls');
  writeFileSync(log, '');
  const program = (name: string, shell: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\necho "${name} $*" >>"${log}"\n${shell}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  program(
    'npm',
    `case "$1" in
      ci) mkdir -p node_modules/.bin; printf '#!/bin/sh\\necho v24.9.0\\n' >node_modules/.bin/node; chmod +x node_modules/.bin/node;;
      run) rm -rf dist; mkdir -p dist/cli; touch dist/cli/main.js;;
    esac`,
  );
  program('sudo', '"$@"');
  return {
    folder,
    program,
    run(script, options = {}) {
      return spawnSync(script, options.args ?? [], {
        cwd: options.cwd ?? folder,
        env: { PATH: bin, HOME: folder },
        encoding: 'utf8',
      });
    },
    calls: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
  };
}

/** A redis-server that an install would put on PATH. */
function installingRedis(folder: string): string {
  return `printf '#!/bin/sh\\n' >"${folder}/path/redis-server"; chmod +x "${folder}/path/redis-server"`;
}

test('set-up installs packages, a Redis through the package manager, and builds; a second one finds nothing to do', () => {
  const project = newProject();
  project.program('apt-get', `[ "$1" = update ] || { ${installingRedis(project.folder)}; }`);
  const setup = join(project.folder, 'scripts', 'setup');

  const first = project.run(setup);
  expect(first.stderr).toContain('setup: ready (v24.9.0,');
  expect(first.status).toBe(0);
  expect(project.calls().filter((call) => !call.startsWith('sudo'))).toEqual([
    expect.stringMatching(/^npm ci /),
    'apt-get install -y --no-install-recommends redis-server',
    'npm run --silent build',
  ]);

  const callsSoFar = project.calls().length;
  expect(project.run(setup, { args: ['--quiet'], cwd: tmpdir() })).toMatchObject({
    status: 0,
    stdout: '',
    stderr: '',
  });
  expect(project.calls()).toHaveLength(callsSoFar);
});

test('a changed lock file brings the packages again, a changed source the build', () => {
  const project = newProject();
  project.program('valkey-server', '');
  const setup = join(project.folder, 'scripts', 'setup');
  project.run(setup);
  writeFileSync(join(project.folder, 'package-lock.json'), '{"changed":1}');
  project.run(setup);
  const future = new Date(Date.now() + 60_000);
  writeFileSync(join(project.folder, 'src', 'new.ts'), '');
  spawnSync('touch', ['-d', future.toISOString(), join(project.folder, 'src', 'new.ts')]);
  project.run(setup);

  const npm = project
    .calls()
    .filter((call) => call.startsWith('npm'))
    .map((call) => call.split(' ')[1]);
  expect(npm).toEqual(['ci', 'run', 'ci', 'run']);
});

test('package lists that are missing are fetched once', () => {
  const project = newProject();
  project.program(
    'apt-get',
    `case "$1" in
      update) touch updated;;
      install) [ -e updated ] || { echo 'E: Unable to locate package' >&2; exit 100; }; ${installingRedis(project.folder)};;
    esac`,
  );
  expect(project.run(join(project.folder, 'scripts', 'setup')).status).toBe(0);
  const verbs = project
    .calls()
    .filter((call) => call.startsWith('apt-get'))
    .map((call) => call.split(' ')[1]);
  expect(verbs).toEqual(['install', 'update', 'install']);
});

test('on a system without a known package manager set-up says what to install', () => {
  const project = newProject();
  const { status, stderr } = project.run(join(project.folder, 'scripts', 'setup'));
  expect(status).toBe(1);
  expect(stderr).toMatch(/no Redis server found: install redis-server, redis or valkey/);
});

test('a Node that is not the project’s own stops set-up, and the next one installs again', () => {
  const project = newProject();
  project.program('redis-server', '');
  project.program(
    'npm',
    `mkdir -p node_modules/.bin; printf '#!/bin/sh\\necho v20.1.0\\n' >node_modules/.bin/node; chmod +x node_modules/.bin/node`,
  );
  for (let round = 0; round < 2; round += 1) {
    const { status, stderr } = project.run(join(project.folder, 'scripts', 'setup'));
    expect(status).toBe(1);
    expect(stderr).toContain('node_modules/.bin/node is v20.1.0, not v24');
  }
  expect(project.calls().filter((call) => call.startsWith('npm ci'))).toHaveLength(2);
});

test('scripts/slipway runs the checkout it lies in, through links and from any folder, and stays in that folder', () => {
  const project = newProject();
  const elsewhere = join(project.folder, 'else where');
  mkdirSync(elsewhere);
  symlinkSync('../scripts/slipway', join(elsewhere, 'one'));
  symlinkSync(join(elsewhere, 'one'), join(elsewhere, 'two'));
  const link = join(elsewhere, 'two');

  const unbuilt = project.run(link, { cwd: elsewhere });
  expect(unbuilt.status).toBe(1);
  expect(unbuilt.stderr).toContain('not built yet: run');

  mkdirSync(join(project.folder, 'dist', 'cli'), { recursive: true });
  writeFileSync(join(project.folder, 'package.json'), '{"type":"module"}');
  writeFileSync(
    join(project.folder, 'dist', 'cli', 'main.js'),
    'console.log(JSON.stringify([process.cwd(), ...process.argv.slice(2)]));',
  );
  project.program('node', `exec "${process.execPath}" "$@"`);
  const built = project.run(link, { cwd: elsewhere, args: ['run', 'a b', '--once'] });
  expect(JSON.parse(built.stdout)).toEqual([elsewhere, 'run', 'a b', '--once']);
});

test('the Node of the checkout is preferred to the one on PATH', () => {
  const project = newProject();
  const own = join(project.folder, 'node_modules', '.bin', 'node');
  mkdirSync(dirname(own), { recursive: true });
  writeFileSync(own, `#!/bin/sh\necho own "$@"\n`);
  chmodSync(own, 0o755);
  mkdirSync(join(project.folder, 'dist', 'cli'), { recursive: true });
  writeFileSync(join(project.folder, 'dist', 'cli', 'main.js'), '');
  const { stdout } = project.run(join(project.folder, 'scripts', 'slipway'), { args: ['status'] });
  expect(stdout).toBe(`own ${join(project.folder, 'bin', 'slipway.cjs')} status\n`);
});

test.each([
  ['20.19.0', 2],
  ['22.21.9', 2],
  ['22.22.0', 1],
  ['24.0.0', 1],
])('on Node %s the command ends with %i', (version, status) => {
  // 1: new enough, so it looks for the build, which this project does not have.
  const project = newProject();
  const stub = JSON.stringify(join(project.folder, 'bin', 'slipway.cjs'));
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version}' }); require(${stub});`;
  const ended = spawnSync(process.execPath, ['-e', pretend], { encoding: 'utf8' });
  expect(ended.stderr.trim().split('\n')).toEqual([
    expect.stringMatching(status === 2 ? /needs Node 22\.22 or newer/ : /not built yet: run scripts\/setup/),
  ]);
  expect(ended.status).toBe(status);
});

test.each([
  { what: 'passes', vitest: 0, summary: 0, kept: 0, status: 0, said: ['1 passed, 0 failed'] },
  { what: 'fails', vitest: 1, summary: 1, kept: 1, status: 1, said: ['vitest ended with 1', 'the report'] },
  { what: 'leaves out a tier', vitest: 0, summary: 1, kept: 1, status: 1, said: ['the report'] },
])('scripts/test: a run that $what ends with the count, and its report is kept where it failed', (run) => {
  const project = newProject();
  cpSync(join(root, 'scripts/test'), join(project.folder, 'scripts/test'));
  for (const name of ['setup', 'setup-archivers'])
    writeFileSync(join(project.folder, 'scripts', name), '#!/bin/sh\n', { mode: 0o755 });
  project.program('vitest', `for last; do :; done; echo '{}' >"\${last#*=}"; exit ${run.vitest}`);
  project.program('node', `echo '1 passed, 0 failed'; exit ${run.summary}`);
  project.program('mktemp', `echo "${project.folder}/report"; : >"${project.folder}/report"`);
  const { status, stdout } = project.run('scripts/test', { args: ['unit'] });
  expect(status).toBe(run.status);
  const lines = stdout.trimEnd().split('\n');
  expect(lines.at(-1)).toBe('1 passed, 0 failed');
  for (const said of run.said) expect(stdout).toContain(said);
  expect(stdout.includes(`is kept: ${project.folder}/report`)).toBe(run.kept === 1);
  expect(readdirSync(project.folder).includes('report')).toBe(run.kept === 1);
});
