import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';
import { redactConfig } from '../../../src/config/redact.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-redact-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function shown(text: string, env: Record<string, string> = {}): Promise<Record<string, unknown>> {
  const file = join(folder, 'slipway.yaml');
  await writeFile(file, text);
  const loaded = await loadConfig({ file, env, cwd: folder });
  return redactConfig(loaded.config, loaded.env);
}

const SECRETS = `
redis: { url: 'rediss://me:hunter2@redis.example.com:6380/3' }
destinations:
  value: { preset: autoglm, token: { value: hunter2 } }
  service: { preset: autoglm, token: { url: 'http://127.0.0.1:1/get_token?key=hunter2' } }
  env: { preset: autoglm, token: { env: MY_TOKEN } }
  other: { preset: autoglm, token: { env: NO_TOKEN } }
  command: { preset: autoglm, token: { command: [pass, show, hunter2] } }
  shell: { preset: autoglm, token: { command: 'echo hunter2', shell: true } }
  signed:
    url: https://files.example.com/up?sig=hunter2
    query: { apikey: hunter2 }
    headers: { X-Api-Key: hunter2 }
    fields: { api_token: hunter2, folder: old scans }
    signer: { kind: md5-appid, appid: '1', key: hunter2 }
    answer: { id: /id }
`;

test('nothing secret is shown, of fields only what the API is known to take, and everything else is', async () => {
  const result = await shown(SECRETS, { MY_TOKEN: 'hunter2' });
  expect(JSON.stringify(result)).not.toContain('hunter2');
  expect(result.redis).toMatchObject({
    url: 'rediss://(set)@redis.example.com:6380/3',
    password: null,
    prefix: 'slipway',
  });
  expect(result.destinations).toMatchObject({
    value: { token: { value: '(set)' } },
    service: { token: { url: 'http://127.0.0.1:1/get_token', timeout: '10s' } },
    env: { token: { env: 'MY_TOKEN (set)' } },
    other: { token: { env: 'NO_TOKEN (unset)' } },
    command: { token: { command: 'pass (arguments hidden)' } },
    shell: { token: { command: 'echo (arguments hidden)' } },
    signed: {
      url: 'https://files.example.com/up',
      query: { apikey: '(set)' },
      headers: { 'X-Api-Key': '(set)' },
      fields: { api_token: '(set)', folder: '[secret]' },
      signer: { kind: 'md5-appid', appid: '1', key: '(set)' },
    },
  });
});

test.each([
  ['redis://:p#ss@h:1/0', 'redis://(set)@h:1/0'],
  ['redis://user:p@ss/w?x@h:1', 'redis://(set)@h:1'],
  ['redis://h:1/0', 'redis://h:1/0'],
  ['unix:///run/redis.sock?db=2', 'unix:///run/redis.sock'],
])('the Redis URL %s is shown as %s', async (url, expected) => {
  expect((await shown(`redis: { url: ${JSON.stringify(url)} }\n`)).redis).toMatchObject({ url: expected });
});

test('passwords of Redis and of its Sentinels are not shown', async () => {
  const result = await shown(
    'redis: { sentinels: [a:1], name: main, username: me, password: hunter2, sentinelPassword: hunter2 }\n',
  );
  expect(JSON.stringify(result)).not.toContain('hunter2');
  expect(result.redis).toMatchObject({ username: 'me', password: '(set)', sentinelPassword: '(set)' });
});

test('a URL among the parameters of a preset loses its query', async () => {
  const result = await shown(
    "destinations:\n  x: { preset: dashscope, token: { env: KEY }, params: { base: 'https://files.example.com/v1?sig=hunter2' } }\n",
  );
  expect(JSON.stringify(result)).not.toContain('hunter2');
  expect(result.destinations).toMatchObject({
    x: { params: { base: 'https://files.example.com/v1' } },
  });
});

test('durations and sizes are shown as they would be written, paths in full', async () => {
  const result = await shown(
    'shutdown: { drain: 90s }\nretry: { baseDelay: 1500ms, deadline: 7d }\nsources: { in: { path: ./in, destination: autoglm } }\ndestinations: { x: { preset: autoglm, limits: { maxBytes: 64KiB } } }\n',
  );
  expect(result).toMatchObject({
    shutdown: { drain: '90s' },
    retry: { baseDelay: '1500ms', deadline: '168h', attempts: 8 },
    sources: { in: { path: join(folder, 'in'), settle: '2s', rescan: '5m' } },
    destinations: { x: { limits: { maxBytes: '64KiB' } } },
  });
  expect(result).not.toHaveProperty('definitions');
});
