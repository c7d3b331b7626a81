import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { findBreaches } from '../../scripts/checks/boundary-rules.ts';
import { readSourceFiles } from '../../scripts/checks/source-files.ts';

const script = fileURLToPath(new URL('../../scripts/checks/boundaries.ts', import.meta.url));

/** A project that consists of these files below src. */
function project(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'sw-bounds-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, 'src', path)), { recursive: true });
    writeFileSync(join(folder, 'src', path), text);
  }
  return folder;
}

/** `path:line: rule: detail` of every breach. */
function breachesOf(files: Readonly<Record<string, string>>): readonly string[] {
  return findBreaches(readSourceFiles(join(project(files), 'src'))).map(
    ({ path, line, rule, detail }) => `src/${path}:${line}: ${rule}: ${detail}`,
  );
}

function run(...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return { status, output: stdout };
}

const sound = {
  'domain/receipt.ts': "import { createHash } from 'node:crypto';\nexport type Receipt = string;\n",
  'platform/http/http-client.ts': "import { Pool } from 'undici';\n",
  'intake/options.ts': "import { z } from 'zod';\nimport type { Receipt } from '../domain/receipt.ts';\n",
  'intake/watcher.ts': "import { watch } from 'chokidar';\nimport { z } from './options.ts';\n",
  'config/schema.ts': "import { intakeOptionsSchema } from '../intake/options.ts';\n",
  'runtime/compose.ts':
    "import { x } from '../intake/watcher.ts';\nimport { y } from '../config/schema.ts';\n",
  'cli/main.ts': "import { compose } from '../runtime/compose.ts';\n",
  'index.ts': "export { compose } from './runtime/compose.ts';\n",
};

test('a sound tree passes', () => {
  expect(breachesOf(sound)).toEqual([]);
});

test.each([
  [
    'an import cycle',
    { 'domain/a.ts': "import './b.ts';\n", 'domain/b.ts': "\nimport './a.ts';\n" },
    'src/domain/a.ts:1: cycle: domain/a.ts → domain/b.ts → domain/a.ts',
  ],
  [
    'a cycle of type imports',
    {
      'domain/a.ts': "import type { B } from './b.ts';\n",
      'domain/b.ts': "import type { A } from './a.ts';\n",
    },
    'src/domain/a.ts:1: cycle:',
  ],
  [
    'a cycle through a re-export',
    { 'domain/a.ts': "export * from './b.ts';\n", 'domain/b.ts': "export { a } from './a.ts';\n" },
    'src/domain/a.ts:1: cycle:',
  ],
  [
    'a stage that imports a stage',
    { 'intake/x.ts': "\nimport { q } from '../queue/q.ts';\n" },
    'src/intake/x.ts:2: stage-imports-stage: intake imports queue',
  ],
  [
    'a stage that imports a type of a stage',
    { 'record/x.ts': "import type { Q } from '../queue/q.ts';\n" },
    'src/record/x.ts:1: stage-imports-stage: record imports queue',
  ],
  [
    'a stage that imports a stage when it runs',
    { 'upload/x.ts': "\n\nconst q = await import('../queue/q.ts');\n" },
    'src/upload/x.ts:3: stage-imports-stage: upload imports queue',
  ],
  [
    'a stage named in a type query',
    { 'notify/x.ts': "type Q = import('../record/r.ts').Q;\n" },
    'src/notify/x.ts:1: stage-imports-stage: notify imports record',
  ],
  [
    'an import over several lines',
    { 'intake/x.ts': "import {\n  a,\n  b,\n} from '../upload/u.ts';\n" },
    'src/intake/x.ts:4: stage-imports-stage: intake imports upload',
  ],
  [
    'a stage that imports the runtime',
    { 'queue/x.ts': "import { r } from '../runtime/r.ts';\n" },
    'src/queue/x.ts:1: arrow: queue must not import runtime',
  ],
  [
    'a door that reaches past the runtime into a stage',
    { 'cli/x.ts': "import { q } from '../queue/q.ts';\n" },
    'src/cli/x.ts:1: arrow: cli must not import queue',
  ],
  [
    'a runtime that imports a door',
    { 'runtime/x.ts': "import { c } from '../cli/c.ts';\n" },
    'src/runtime/x.ts:1: arrow: runtime must not import cli',
  ],
  [
    'destinations that import a stage',
    { 'destinations/x.ts': "import { u } from '../upload/u.ts';\n" },
    'src/destinations/x.ts:1: arrow: destinations must not import upload',
  ],
  [
    'pacing that imports destinations',
    { 'pacing/x.ts': "import { d } from '../destinations/d.ts';\n" },
    'src/pacing/x.ts:1: arrow: pacing must not import destinations',
  ],
  [
    'a domain that imports the platform',
    { 'domain/x.ts': "import { c } from '../platform/c.ts';\n" },
    'src/domain/x.ts:1: arrow: domain must not import platform',
  ],
  [
    'a sandbox that knows more than the words',
    { 'sandbox/x.ts': "import { u } from '../upload/u.ts';\n" },
    'src/sandbox/x.ts:1: arrow: sandbox must not import upload',
  ],
  [
    'a room that imports the public API',
    { 'cli/x.ts': "import { i } from '../index.ts';\n" },
    'src/cli/x.ts:1: arrow: cli must not import src',
  ],
  [
    'a room that imports config',
    { 'upload/x.ts': "import type { C } from '../config/schema.ts';\n" },
    'src/upload/x.ts:1: room-imports-config: upload imports config/schema.ts',
  ],
  [
    'a config that imports more than options',
    { 'config/x.ts': "import { w } from '../intake/watcher.ts';\n" },
    'src/config/x.ts:1: config-imports-more: of intake config may import options.ts only',
  ],
  [
    'a library away from home',
    { 'intake/x.ts': "import { Redis } from 'ioredis';\n" },
    'src/intake/x.ts:1: library-home: ioredis lives in redis/',
  ],
  [
    'a second file of a library that lives in one',
    { 'platform/x.ts': "import type { Pool } from 'undici/types/pool';\n" },
    'src/platform/x.ts:1: library-home: undici lives in platform/http/http-client.ts',
  ],
  [
    'a scoped library away from home',
    { 'sandbox/x.ts': "import busboy from '@fastify/busboy';\n" },
    'src/sandbox/x.ts:1: library-home: @fastify/busboy lives in gateway/',
  ],
  [
    'an undeclared library',
    { 'upload/x.ts': "import got from 'got';\n" },
    'src/upload/x.ts:1: undeclared-library: got',
  ],
  [
    'a Node module without its prefix',
    { 'upload/x.ts': "import fs from 'fs';\n" },
    'src/upload/x.ts:1: undeclared-library: fs',
  ],
  [
    'an import nobody can follow',
    { 'upload/x.ts': "const name = './y.ts';\nawait import(name);\n" },
    'src/upload/x.ts:2: opaque-import:',
  ],
  ['a require nobody can follow', { 'upload/x.ts': 'require(name);\n' }, 'src/upload/x.ts:1: opaque-import:'],
  [
    'an import from outside src',
    { 'upload/x.ts': "import p from '../../package.json';\n" },
    'src/upload/x.ts:1: outside-src:',
  ],
  [
    'a folder that is no room',
    { 'services/x.ts': 'export {};\n' },
    'src/services/x.ts:1: unknown-room: services',
  ],
  ['a long file', { 'upload/x.ts': 'export {};\n'.repeat(301) }, 'src/upload/x.ts:1: length: 301 lines'],
  [
    'a long file with a lame excuse',
    { 'upload/x.ts': `// long\n${'export {};\n'.repeat(300)}` },
    'src/upload/x.ts:1: length: 301 lines',
  ],
  ['utils', { 'upload/utils.ts': 'export {};\n' }, 'src/upload/utils.ts:1: name: utils says nothing'],
  [
    'a helper by another name',
    { 'upload/body-helpers.ts': 'export {};\n' },
    'src/upload/body-helpers.ts:1: name: body-helpers says nothing',
  ],
  [
    'a misc folder',
    { 'upload/misc/body.ts': 'export {};\n' },
    'src/upload/misc/body.ts:1: name: misc says nothing',
  ],
  [
    'a name in camel case',
    { 'upload/bodyReader.ts': 'export {};\n' },
    'src/upload/bodyReader.ts:1: name: bodyReader is not kebab-case',
  ],
  [
    'main outside the terminal room',
    { 'runtime/main.ts': 'export {};\n' },
    'src/runtime/main.ts:1: name: main is a name for the cli room only',
  ],
  [
    'a base name that another room has',
    { 'upload/watcher.ts': 'export {};\n' },
    'src/upload/watcher.ts:1: name: watcher is also intake/watcher.ts',
  ],
])('%s fails the check, with its line and rule', (_what, files, breach) => {
  expect(breachesOf({ ...sound, ...files })).toContainEqual(expect.stringContaining(breach));
});

test.each([
  [
    'options and ports in several rooms',
    { 'upload/options.ts': 'export {};\n', 'upload/ports.ts': '', 'notify/ports.ts': '' },
  ],
  ['300 lines', { 'upload/x.ts': 'export {};\n'.repeat(300) }],
  [
    'a long file with a reason',
    { 'upload/x.ts': `// Over 300 lines: one table, of no use in parts\n${'export {};\n'.repeat(400)}` },
  ],
  [
    'an import in a comment',
    { 'intake/x.ts': "/*\nimport { q } from '../queue/q.ts';\n*/\n// import '../queue/q.ts';\n" },
  ],
  [
    'a string that looks like a path',
    { 'intake/x.ts': "export const from = '../queue/q.ts';\nexport type From = '../queue/q.ts';\n" },
  ],
])('%s passes', (_what, files) => {
  expect(breachesOf({ ...sound, ...files })).toEqual([]);
});

test('every breach is printed, not only the first, and the exit code says that there are some', () => {
  const files = { 'intake/x.ts': "import { q } from '../queue/q.ts';\nimport got from 'got';\n" };
  const { status, output } = run(project(files));
  expect(output.trim().split('\n')).toEqual([
    'src/intake/x.ts:1: stage-imports-stage: intake imports queue (queue/q.ts)',
    expect.stringMatching(/^src\/intake\/x\.ts:2: undeclared-library: got /),
    '2 breaches',
  ]);
  expect(status).toBe(1);
});

test('a tree without sources is no success', () => {
  expect(run(project({ 'notes.txt': '' }))).toMatchObject({ status: 1 });
});

test('this project holds its boundaries', () => {
  expect(run()).toEqual({ status: 0, output: expect.stringMatching(/^boundaries hold in \d+ files\n$/) });
});
