// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of the config file are what this is about
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { inputJsonSchema, publishedJsonSchema, type SchemaNode } from '../../../src/config/json-schema.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { maskVariables, unmaskVariables } from '../../../src/config/mask.ts';
import { parseYaml } from '../../../src/platform/files/yaml-document.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(publishedJsonSchema());

/** The file as an editor sees it: variables not filled in. */
async function asWritten(name: string): Promise<unknown> {
  return unmaskVariables(parseYaml(maskVariables(await readFile(`${root}config/${name}`, 'utf8'))).value);
}

describe.each(['example.yaml', 'demo.yaml'])('config/%s', (name) => {
  test('fits the published schema', async () => {
    validate(await asWritten(name));
    expect(validate.errors).toBeNull();
  });
});

test('the example is a valid config without any variable set, and warns of nothing', async () => {
  const { config, warnings } = await loadConfig({
    file: `${root}config/example.yaml`,
    env: { HOME: '/home/someone' },
    cwd: root,
  });
  expect(warnings).toEqual([]);
  expect(Object.keys(config.definitions)).toEqual(['autoglm', 'qwen', 'agent', 'archive']);
  expect(config.redis.url).toBeNull();
});

test('the example shows every key there is outside of destinations', async () => {
  const written = await asWritten('example.yaml');
  const missing: string[] = [];
  const compare = (node: SchemaNode, value: unknown, path: string): void => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      const here = `${path}.${key}`;
      const present = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
      if (!present) missing.push(here);
      else if (key !== 'destinations') compare(child, (value as Record<string, unknown>)[key], here);
    }
    if (typeof node.additionalProperties === 'object' && typeof value === 'object' && value !== null) {
      compare(node.additionalProperties, Object.values(value)[0], `${path}.*`);
    }
  };
  compare(inputJsonSchema(), written, '');
  expect(missing).toEqual([]);
});

test('the demo sends ./inbox to the addresses the sandbox is given', async () => {
  const env = {
    SLIPWAY_SANDBOX_API: 'http://127.0.0.1:4101/agentdr/v1/assistant/upload-mix',
    SLIPWAY_SANDBOX_TOKEN: 'http://127.0.0.1:4100/get_token',
  };
  const { config, warnings } = await loadConfig({ file: `${root}config/demo.yaml`, env, cwd: root });
  expect(warnings).toEqual([]);
  expect(config.dataDir).toBe(`${root}.slipway`);
  expect(config.sources.inbox).toMatchObject({ path: `${root}inbox`, destination: 'demo', settle: 1000 });
  expect(config.definitions.demo).toMatchObject({
    url: env.SLIPWAY_SANDBOX_API,
    token: { url: env.SLIPWAY_SANDBOX_TOKEN },
  });
});

describe('the published schema', () => {
  test.each([
    [{ webhooks: [{ name: 'x' }] }],
    [{ queue: { maxPending: 'many' } }],
    [{ queue: { maxPending: 0 } }],
    [{ sources: { a: { path: '/in', settle: 'soon' } } }],
    [{ sources: { a: { destination: 'x' } } }],
    [{ log: { level: 'loud' } }],
    [{ redis: { url: 'http://x' } }],
  ])('refuses %j', (config) => {
    expect(validate(config)).toBe(false);
  });

  test('takes a variable wherever a value can stand', () => {
    const source = { path: '${A}', settle: '${B:-2s}', hidden: '${C}', polling: '${D}', snapshot: '${E}' };
    validate({
      sources: { a: source },
      queue: { maxPending: '${F}' },
      log: { level: '${G}' },
      redis: { url: '${H:-}' },
    });
    expect(validate.errors).toBeNull();
  });

  test('says of every key what it means', () => {
    const silent: string[] = [];
    const look = (node: SchemaNode & { description?: string }, path: string): void => {
      for (const [key, child] of Object.entries(node.properties ?? {})) {
        if ((child as { description?: string }).description === undefined) silent.push(`${path}.${key}`);
        if (!path.startsWith('.destinations')) look(child, `${path}.${key}`);
      }
      if (typeof node.additionalProperties === 'object') look(node.additionalProperties, `${path}.*`);
    };
    look(inputJsonSchema(), '');
    expect(silent).toEqual([]);
  });

  test('lies current in config/slipway.schema.json', async () => {
    const check = promisify(execFile)(process.execPath, [`${root}scripts/gen-schema.ts`, '--check']);
    await expect(check).resolves.toMatchObject({ stderr: '' });
  });
});
