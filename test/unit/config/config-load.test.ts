import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Environment } from '../../../src/config/env.ts';
import { checkConfig, loadConfig } from '../../../src/config/load-config.ts';
import { nearest } from '../../../src/config/nearest.ts';
import { adHocSource } from '../../../src/config/resolve-config.ts';
import { SlipwayError } from '../../../src/domain/errors.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-config-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const env: Environment = { HOME: '/home/someone' };

async function load(text: string, more: { env?: Environment; logLevel?: string } = {}) {
  const file = join(folder, 'slipway.yaml');
  await writeFile(file, text);
  const flags = more.logLevel === undefined ? {} : { logLevel: more.logLevel };
  return loadConfig({ file, env: { ...env, ...more.env }, cwd: folder, flags });
}

/** Every line of the refusal. */
async function mistakesIn(
  text: string,
  more: { env?: Environment; logLevel?: string } = {},
): Promise<string[]> {
  const file = join(folder, 'slipway.yaml');
  await writeFile(file, text);
  const flags = more.logLevel === undefined ? {} : { logLevel: more.logLevel };
  const check = await checkConfig({ file, env: { ...env, ...more.env }, cwd: folder, flags });
  return check.ok ? [] : [...check.problems];
}

const qwen =
  'destinations:\n  qwen: { preset: dashscope, token: { env: KEY }, fields: { purpose: file-extract } }\n';

describe('a config that is right', () => {
  test('a source and a destination are enough; everything else has its default', async () => {
    const { config, warnings, baseDir } = await load(
      `${qwen}sources:\n  inbox: { path: ./in, destination: qwen }\n`,
    );
    expect(warnings).toEqual([]);
    expect(baseDir).toBe(folder);
    expect(config.dataDir).toBe(join(folder, '.slipway'));
    expect(config.redis).toMatchObject({
      url: null,
      sentinels: null,
      cluster: null,
      tls: null,
      prefix: 'slipway',
    });
    expect(config.sources.inbox).toEqual({
      name: 'inbox',
      path: join(folder, 'in'),
      destination: 'qwen',
      manifest: join(folder, 'in.manifest.json'),
      include: ['**/*'],
      ignore: [],
      settle: 2000,
      rescan: 300_000,
      hidden: false,
      polling: 'auto',
      minAge: 0,
      minBytes: null,
      maxBytes: null,
      existing: 'upload',
      dedupe: 'version',
      snapshot: 'auto',
      sidecar: false,
      meta: null,
      batch: null,
      onSuccess: 'keep',
      onFailure: 'keep',
      onSettled: null,
    });
    expect(config.definitions.qwen).toMatchObject({ name: 'qwen', preset: 'dashscope' });
    expect(config.retry.attempts).toBe(8);
    expect(config.shutdown.drain).toBe(30_000);
    expect(config.worker.concurrency).toEqual({ initial: 1, max: 64, adaptive: true });
  });

  test('nobody can change it afterwards', async () => {
    const { config } = await load(`${qwen}sources:\n  inbox: { path: ./in, destination: qwen }\n`);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.sources.inbox?.include)).toBe(true);
    expect(Object.isFrozen(config.worker.concurrency)).toBe(true);
    expect(Object.isFrozen(config.definitions.qwen?.answer)).toBe(true);
  });

  test('relative paths are relative to the file, `~/` to the home folder, absolute ones stay', async () => {
    const { config } = await load(
      `${qwen}dataDir: ../state\nnetwork: { caFile: ca.pem }\nsources:\n  a: { path: ~/in }\n  b: { path: /srv/in, manifest: out/b.json }\n`,
    );
    expect(config.dataDir).toBe(join(folder, '..', 'state'));
    expect(config.network.caFile).toBe(join(folder, 'ca.pem'));
    expect(config.sources.a?.path).toBe('/home/someone/in');
    expect(config.sources.b).toMatchObject({ path: '/srv/in', manifest: join(folder, 'out', 'b.json') });
  });

  test('a source without a destination means the only one there is', async () => {
    const { config } = await load(`${qwen}sources:\n  inbox: { path: ./in }\n`);
    expect(config.sources.inbox?.destination).toBe('qwen');
  });

  test('a source may name a preset that is not configured', async () => {
    const { config } = await load('sources:\n  inbox: { path: ./in, destination: autoglm }\n');
    expect(config.definitions.autoglm).toMatchObject({ name: 'autoglm', preset: 'autoglm' });
    expect(config.destinations).toEqual({});
  });

  test('an empty file is a config without sources', async () => {
    for (const text of ['', '\uFEFF', '# nothing yet\n', '---\n']) {
      expect((await load(text)).config.sources).toEqual({});
    }
  });

  test('without a file the state is kept where the system says', async () => {
    const input = { file: null, cwd: folder };
    const home = await loadConfig({ ...input, env });
    expect(home.config.dataDir).toBe('/home/someone/.local/state/slipway');
    expect(home.baseDir).toBe(folder);
    const xdg = await loadConfig({ ...input, env: { ...env, XDG_STATE_HOME: '/var/state' } });
    expect(xdg.config.dataDir).toBe('/var/state/slipway');
    const relative = await loadConfig({ ...input, env: { ...env, XDG_STATE_HOME: 'state' } });
    expect(relative.config.dataDir).toBe('/home/someone/.local/state/slipway');
  });

  test('a folder inside another source is allowed and mentioned', async () => {
    const { warnings } = await load(`${qwen}sources:\n  all: { path: ./in }\n  some: { path: ./in/some }\n`);
    expect(warnings).toEqual([
      'slipway.yaml:5: sources.some.path: lies inside the folder of source all: its files are taken by both',
    ]);
  });

  test('a token written into the file works and is warned about, without being repeated', async () => {
    const { warnings } = await load(
      'destinations:\n  x:\n    preset: openai\n    fields: { purpose: vision }\n    token:\n      value: sk-secret\n',
    );
    expect(warnings).toEqual([
      'slipway.yaml:6: destinations.x.token.value: whoever reads this file has the token: use `env` or `file` instead',
    ]);
  });

  test('a source made up on the command line has the defaults of one in the file', () => {
    expect(adHocSource('photos', '/srv/photos', 'qwen')).toMatchObject({
      name: 'photos',
      path: '/srv/photos',
      destination: 'qwen',
      manifest: '/srv/photos.manifest.json',
      settle: 2000,
      include: ['**/*'],
    });
  });
});

describe('precedence', () => {
  test('a flag beats the environment, which beats the file', async () => {
    const file = 'log: { level: warn }\n';
    const SLIPWAY_LOG_LEVEL = 'debug';
    expect((await load(file)).config.log.level).toBe('warn');
    expect((await load(file, { env: { SLIPWAY_LOG_LEVEL } })).config.log.level).toBe('debug');
    expect((await load(file, { env: { SLIPWAY_LOG_LEVEL }, logLevel: 'error' })).config.log.level).toBe(
      'error',
    );
    expect((await load(file, { env: { SLIPWAY_LOG_LEVEL: '' } })).config.log.level).toBe('warn');
  });

  test('a mistake in a flag or variable is told with its name, not with a line of the file', async () => {
    expect(await mistakesIn('log: { level: warn }\n', { env: { SLIPWAY_LOG_LEVEL: 'loud' } })).toEqual([
      'SLIPWAY_LOG_LEVEL: log.level: must be silent, error, warn, info or debug',
    ]);
    expect(await mistakesIn('', { logLevel: 'loud' })).toEqual([
      '--log-level: log.level: must be silent, error, warn, info or debug',
    ]);
  });
});

describe('a config that is wrong', () => {
  test('every mistake is told at once, each with its line, its key and the fix', async () => {
    const text = `dataDir: 5
redis: { url: 'http://x', prefx: a }
destinations:
  autoglm: { preset: autoglm, region: mars, concurrency: { initial: 0 } }
  mine: { url: 'https://x/y' }
sources:
  inbox:
    path: ./inbox
    destination: autoglmm
    includ: ['**/*']
    settle: 2 secs
    polling: 7
  other:
    path: \${NOPE}
    destination: autoglm
queue: { maxPending: many }
worker: { concurrency: { initial: 100 } }
retry: []
webhoks: []
log: { level: loud }
`;
    expect(await mistakesIn(text)).toEqual([
      'slipway.yaml:1: dataDir: must be a text, not a number',
      'slipway.yaml:2: redis.url: must start with redis://, rediss://, unix:/// or /',
      'slipway.yaml:2: redis.prefx: is not a key here: did you mean `prefix`?',
      'slipway.yaml:4: destinations.autoglm.concurrency.initial: must be at least 1',
      'slipway.yaml:5: destinations.mine.answer: is required where no preset gives it',
      'slipway.yaml:9: sources.inbox.destination: there is no destination `autoglmm`: did you mean `autoglm`?',
      'slipway.yaml:10: sources.inbox.includ: is not a key here: did you mean `include`?',
      'slipway.yaml:11: sources.inbox.settle: must be a duration such as 500ms, 2s, 5m, 24h or 7d',
      'slipway.yaml:12: sources.inbox.polling: must be auto or true or false',
      `slipway.yaml:14: sources.other.path: the variable NOPE is not set: set it (the environment, or .env beside this file), or write \${NOPE:-default}`,
      'slipway.yaml:16: queue.maxPending: must be a number, not a text',
      'slipway.yaml:17: worker.concurrency.initial: must not be larger than `max`',
      'slipway.yaml:18: retry: must be a group of keys, not a list',
      'slipway.yaml:19: webhoks: is not a key here: did you mean `webhooks`?',
      'slipway.yaml:20: log.level: must be silent, error, warn, info or debug',
    ]);
  });

  test('all of it is one coded error', async () => {
    const refusal = await load('dataDir: 5\nretry: []\n').catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SlipwayError);
    expect(refusal).toMatchObject({ code: 'config_invalid', kind: 'config' });
    expect((refusal as SlipwayError).message.split('\n')).toEqual([
      '2 mistakes in the config',
      '  slipway.yaml:1: dataDir: must be a text, not a number',
      '  slipway.yaml:2: retry: must be a group of keys, not a list',
    ]);
    await expect(load('dataDir: 5\n')).rejects.toThrow(
      /^slipway\.yaml:1: dataDir: must be a text, not a number$/,
    );
  });

  test('mistakes of a destination that its preset shows are told with the others', async () => {
    expect(
      await mistakesIn(
        'destinations:\n  a: { preset: autoglm, region: mars }\n  b: { preset: openay }\nlog: 5\n',
      ),
    ).toEqual([
      expect.stringMatching(/^slipway\.yaml:2: destinations\.a\.region: must be one of .*international/),
      expect.stringMatching(/^slipway\.yaml:3: destinations\.b\.preset: there is no preset "openay"/),
      'slipway.yaml:4: log: must be a group of keys, not a number',
    ]);
  });

  test('a destination named like a preset that forgot to say so is told what to add', async () => {
    expect(await mistakesIn('destinations:\n  openai: { token: { env: KEY } }\n')).toEqual([
      'slipway.yaml:2: destinations.openai: has no url: add `preset: openai`, or describe the API yourself',
    ]);
  });

  test('a preset that leaves something open cannot be named without configuring it', async () => {
    expect(await mistakesIn('sources:\n  inbox: { path: ./in, destination: dify }\n')).toEqual([
      expect.stringMatching(
        /^slipway\.yaml:2: sources\.inbox\.destination: the preset `dify` needs more than its name: .*fields\.user/,
      ),
    ]);
  });

  test('a source without a destination is refused where there is a choice, or nothing to choose', async () => {
    const two = `${qwen}  other: { preset: autoglm }\n`;
    expect(await mistakesIn(`${two}sources:\n  inbox: { path: ./in }\n`)).toEqual([
      'slipway.yaml:5: sources.inbox.destination: is required: name one of qwen, other',
    ]);
    expect(await mistakesIn('sources:\n  inbox: { path: ./in }\n')).toEqual([
      expect.stringMatching(/sources\.inbox\.destination: is required: name one of a preset \(.*autoglm/),
    ]);
  });

  test.each([
    ['the same folder twice', 'a: { path: ./in }\n  b: { path: ./in/ }', 'sources.b.path'],
    [
      'the same file',
      'a: { path: ./a, manifest: m.json }\n  b: { path: ./b, manifest: ./m.json }',
      'sources.b.manifest',
    ],
    [
      'the default of another',
      'a: { path: ./in }\n  b: { path: ./b, manifest: in.manifest.json }',
      'sources.b.manifest',
    ],
    [
      'the journal of another',
      'a: { path: ./a, manifest: m.json }\n  b: { path: ./b, manifest: m.jsonl }',
      'sources.b.manifest',
    ],
  ])('two sources whose manifests meet are refused: %s', async (_, sources, key) => {
    expect(await mistakesIn(`${qwen}sources:\n  ${sources}\n`)).toEqual([
      expect.stringMatching(
        new RegExp(
          `^slipway\\.yaml:5: ${key.replaceAll('.', '\\.')}: would write the same manifest as source a`,
        ),
      ),
    ]);
  });

  test('sizes that leave no file to be sent are refused; equal ones ask for exactly that size', async () => {
    const source = (sizes: string) => `${qwen}sources:\n  in: { path: ./in, ${sizes} }\n`;
    expect(await mistakesIn(source('minBytes: 2KB, maxBytes: 1000'))).toEqual([
      'slipway.yaml:4: sources.in.minBytes: is more than maxBytes: no file is as large as both ask',
    ]);
    expect(await mistakesIn(source('minBytes: 1KB, maxBytes: 1000'))).toEqual([]);
    expect(await mistakesIn(source('maxBytes: some'))).toEqual([
      expect.stringContaining('must be a size such as 64KiB'),
    ]);
  });

  test('names that only differ in upper and lower case, or cannot be a folder name, are refused', async () => {
    const sources = 'sources:\n  inbox: { path: ./a }\n  Inbox: { path: ./b }\n  "a/b": { path: ./c }\n';
    expect(await mistakesIn(qwen + sources)).toEqual([
      'slipway.yaml:5: sources.Inbox: differs from `inbox` in upper and lower case only: rename one',
      expect.stringMatching(/^slipway\.yaml:6: sources\."a\/b": is not a usable name: must be 1 to 48/),
    ]);
  });

  test('within a union the branch that was meant is the one that is told about', async () => {
    const token = (text: string) => mistakesIn(`destinations:\n  x: { preset: autoglm, token: ${text} }\n`);
    expect(await token("{ url: 'http://127.0.0.1:1/t', timeout: soon }")).toEqual([
      'slipway.yaml:2: destinations.x.token.timeout: must be a duration such as 500ms, 2s, 5m, 24h or 7d',
    ]);
    expect(await token('{ environment: KEY }')).toEqual([
      'slipway.yaml:2: destinations.x.token: must be exactly one of { url }, { env }, { file }, { command }, { value }',
    ]);
  });

  test('a mistake in the YAML is told with line and column, and not a hundred times', async () => {
    const broken = await mistakesIn(`sources: { a: 1 } }\n${'x: 1\n'.repeat(40)}`);
    expect(broken[0]).toMatch(/^slipway\.yaml:1:\d+: /);
    expect(broken.length).toBeLessThanOrEqual(5);
    expect(await mistakesIn('log: {}\nlog: {}\n')).toEqual([
      expect.stringMatching(/^slipway\.yaml:2:1: .*unique/),
    ]);
    expect(await mistakesIn('- a\n')).toEqual([expect.stringContaining('must be a group of keys')]);
    expect(await mistakesIn('sources: &a\n  x: *a\n')).toHaveLength(1);
  });

  test('no mistake repeats the value it is about', async () => {
    const text = `redis: { url: '\${SECRET}' }\nlog: { level: '\${SECRET}' }\ndestinations:\n  x: { preset: autoglm, token: '\${SECRET}' }\n`;
    const mistakes = await mistakesIn(text, { env: { SECRET: 'hunter2' } });
    expect(mistakes).toHaveLength(3);
    expect(mistakes.join()).not.toContain('hunter2');
  });

  test('a file that is not there, or cannot be read, is its own error', async () => {
    const missing = { file: join(folder, 'no.yaml'), env, cwd: folder };
    await expect(loadConfig(missing)).rejects.toMatchObject({ code: 'config_missing' });
    await mkdir(join(folder, 'dir.yaml'));
    await expect(loadConfig({ ...missing, file: join(folder, 'dir.yaml') })).rejects.toMatchObject({
      code: 'config_unreadable',
    });
  });
});

test('a duration without a unit is refused with the unit it may have meant; 0 needs none', async () => {
  const source = (settle: string): string =>
    `${qwen}sources:\n  inbox: { path: ./in, destination: qwen, settle: ${settle} }\n`;
  expect(await mistakesIn(source('2'))).toEqual([
    'slipway.yaml:4: sources.inbox.settle: needs a unit: 2s or 2ms, for example',
  ]);
  expect((await load(source('0'))).config.sources.inbox?.settle).toBe(0);
  expect(
    await mistakesIn(
      'timeouts: { connect: 5 }\ndestinations:\n  x: { preset: dashscope, token: { url: "http://127.0.0.1:1", timeout: 3 }, limits: { maxBytes: 1000 } }\n',
    ),
  ).toEqual([
    expect.stringContaining('timeouts.connect: needs a unit: 5s'),
    expect.stringContaining('destinations.x.token.timeout: needs a unit: 3s'),
  ]);
});

test('a word that is only a little like a known one is not suggested', () => {
  expect(nearest('batch', ['path', 'settle', 'rescan'])).toBeNull();
  expect(nearest('setle', ['path', 'settle'])).toBe('settle');
  expect(nearest('paht', ['path'])).toBe('path');
  expect(nearest('destinaton', ['destinations', 'sources'])).toBe('destinations');
});
