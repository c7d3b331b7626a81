// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of the config file are what this is about
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { environmentFor } from '../../../src/config/env.ts';
import { DEFAULT_CONFIG, findConfigFile } from '../../../src/config/find-config.ts';
import { interpolate } from '../../../src/config/interpolate.ts';
import { checkConfig, loadConfig } from '../../../src/config/load-config.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-env-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('variables in a value', () => {
  const env = { NAME: 'a', EMPTY: '', NESTED: '${NAME}', MONEY: '$&' };
  const filled = (text: string) => interpolate(text, env).value;

  test.each([
    ['${NAME}', 'a'],
    ['x-${NAME}-${NAME}', 'x-a-a'],
    ['${EMPTY}', ''],
    ['${NOPE:-b}', 'b'],
    ['${EMPTY:-b}', 'b'],
    ['${NAME:-b}', 'a'],
    ['${NOPE:-}', ''],
    ['${NOPE:-http://x:1/y?z}', 'http://x:1/y?z'],
    ['$${NAME}', '${NAME}'],
    ['$$${NAME}', '$${NAME}'],
    ['$NAME and $5', '$NAME and $5'],
    ['${NESTED}', '${NAME}'],
    ['${MONEY}', '$&'],
    ['{base}/files', '{base}/files'],
  ])('%s becomes %s', (text, expected) => {
    expect(filled(text)).toBe(expected);
  });

  test('they are filled in at any depth, and never in keys', () => {
    expect(interpolate({ '${NAME}': [{ x: '${NAME}' }, 5, null, true] }, env).value).toEqual({
      '${NAME}': [{ x: 'a' }, 5, null, true],
    });
  });

  test('every missing variable and every unfinished one is reported with its path', () => {
    const { problems } = interpolate({ a: '${NOPE}', b: ['${NO-NAME}', 'x ${'] }, env);
    expect(problems.map(({ path, message }) => [path, message.slice(0, 24)])).toEqual([
      [['a'], 'the variable NOPE is not'],
      [['b', 0], 'has a `${` that is no va'],
      [['b', 1], 'has a `${` that is no va'],
    ]);
  });
});

describe('the .env beside the file', () => {
  test('adds what is not set and replaces nothing that is, not even an empty value', async () => {
    await writeFile(join(folder, '.env'), '# keys\nA=file\nB="two words"\nC=file\nexport D=x\n');
    const merged = await environmentFor(join(folder, 'slipway.yaml'), { A: 'typed', C: '', E: undefined });
    expect(merged).toMatchObject({ A: 'typed', B: 'two words', C: '', D: 'x' });
  });

  test('is optional, and not looked for without a config file', async () => {
    const env = { A: 'typed' };
    expect(await environmentFor(join(folder, 'slipway.yaml'), env)).toEqual(env);
    expect(await environmentFor(null, env)).toBe(env);
  });

  test('fills in the config, and is handed on for what looks variables up later', async () => {
    const file = join(folder, 'slipway.yaml');
    await writeFile(join(folder, '.env'), 'IN=/srv/in\nKEY=secret\n');
    await writeFile(file, 'sources:\n  a: { path: ${IN}, destination: autoglm }\n');
    const { config, env } = await loadConfig({ file, env: {}, cwd: folder });
    expect(config.sources.a?.path).toBe('/srv/in');
    expect(env.KEY).toBe('secret');
  });
});

describe('variables in the file', () => {
  async function load(text: string, env: Record<string, string>) {
    const file = join(folder, 'slipway.yaml');
    await writeFile(file, text);
    const check = await checkConfig({ file, env, cwd: folder });
    return check.ok ? check.loaded.config : check.problems;
  }

  test('they need no quotes, inside braces neither', async () => {
    const text =
      'redis: { url: ${R}, prefix: ${P:-mine} }\nsources: { a: { path: ${IN}, ignore: [${X}, $${X}], destination: autoglm } }\n';
    const config = await load(text, { R: 'redis://h:1', IN: '/in', X: '*.x' });
    expect(config).toMatchObject({
      redis: { url: 'redis://h:1', prefix: 'mine' },
      sources: { a: { path: '/in', ignore: ['*.x', '${X}'] } },
    });
  });

  test('a number, a switch or a duration can come from a variable', async () => {
    const text =
      'queue: { maxPending: ${N} }\nsources: { a: { path: /in, hidden: ${H}, polling: ${POLL}, settle: ${S}, destination: autoglm } }\n';
    const config = await load(text, { N: '50', H: 'true', POLL: 'false', S: '5s' });
    expect(config).toMatchObject({
      queue: { maxPending: 50 },
      sources: { a: { hidden: true, polling: false, settle: 5000 } },
    });
  });

  test('a text that looks like a number stays a text where a text is wanted', async () => {
    const config = await load('redis: { prefix: ${P} }\n', { P: '007' });
    expect(config).toMatchObject({ redis: { prefix: '007' } });
  });

  test('an empty one is the same as leaving the key out where null is allowed', async () => {
    expect(await load('redis: { url: ${R:-} }\n', {})).toMatchObject({ redis: { url: null } });
  });

  test('a number that was written as a text is refused: only variables are given another type', async () => {
    expect(await load("queue: { maxPending: '50' }\n", {})).toEqual([
      'slipway.yaml:1: queue.maxPending: must be a number, not a text',
    ]);
    expect(await load('queue: { maxPending: ${N} }\n', { N: 'many' })).toEqual([
      'slipway.yaml:1: queue.maxPending: must be a number, not a text',
    ]);
  });
});

describe('which file', () => {
  test('the flag beats SLIPWAY_CONFIG, which beats slipway.yaml in the working folder', async () => {
    for (const name of ['flag.yaml', 'env.yaml', DEFAULT_CONFIG]) await writeFile(join(folder, name), '');
    const env = { SLIPWAY_CONFIG: 'env.yaml' };
    expect(await findConfigFile({ flag: 'flag.yaml', env, cwd: folder })).toBe(join(folder, 'flag.yaml'));
    expect(await findConfigFile({ env, cwd: folder })).toBe(join(folder, 'env.yaml'));
    expect(await findConfigFile({ env: {}, cwd: folder })).toBe(join(folder, DEFAULT_CONFIG));
    expect(await findConfigFile({ env: { SLIPWAY_CONFIG: '' }, cwd: folder })).toBe(
      join(folder, DEFAULT_CONFIG),
    );
  });

  test('none is no mistake, unless one was named', async () => {
    expect(await findConfigFile({ env: {}, cwd: folder })).toBeNull();
    const missing = { code: 'config_missing' };
    await expect(findConfigFile({ flag: 'no.yaml', env: {}, cwd: folder })).rejects.toMatchObject(missing);
    await expect(findConfigFile({ env: { SLIPWAY_CONFIG: 'no.yaml' }, cwd: folder })).rejects.toMatchObject(
      missing,
    );
  });
});
