// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of the config file are what this is about
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkConfig, type LoadedConfig } from '../../../src/config/load-config.ts';
import { redactConfig } from '../../../src/config/redact.ts';
import { newSecret, secretProblem } from '../../../src/notify/send/secret.ts';
import { endpointsOf } from '../../../src/runtime/plans/endpoint-plans.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-webhook-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const SECRET = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';
const SOURCES =
  'destinations: { qwen: { preset: dashscope } }\nsources: { inbox: { path: ./in }, scans: { path: ./s } }\n';

async function check(text: string, env: Record<string, string> = {}) {
  const file = join(folder, 'slipway.yaml');
  writeFileSync(file, text);
  return await checkConfig({ file, env, cwd: folder });
}

async function load(text: string, env: Record<string, string> = {}): Promise<LoadedConfig> {
  const checked = await check(text, env);
  if (!checked.ok) throw new Error(checked.problems.join('\n'));
  return checked.loaded;
}

test('a name, a URL and a secret are enough; the rest has its default', async () => {
  const { config } = await load(
    `${SOURCES}webhooks: [{ name: p, url: 'https://x.example/h?k=1', secret: '${SECRET}' }]\n`,
  );
  expect(endpointsOf(config, 'inbox')).toEqual([
    {
      name: 'p',
      target: {
        ...{ kind: 'http', url: 'https://x.example/h?k=1', secrets: [SECRET], headers: {} },
        neverShown: [SECRET],
      },
      events: ['file.uploaded', 'file.failed', 'batch.completed'],
      batch: null,
      concurrency: 10,
      timeoutMs: 15_000,
    },
  ]);
  expect(endpointsOf(config, 'named-on-the-command-line')).toHaveLength(1);
});

test('an endpoint with `sources` hears of those only; `onSettled` of its own source only', async () => {
  const { config } = await load(
    `destinations: { qwen: { preset: dashscope } }
sources:
  inbox: { path: ./in, onSettled: { command: [./settled.sh, a], batch: {} } }
  scans: { path: ./s }
webhooks: [{ name: p, sources: [scans], url: 'https://x.example', secret: '${SECRET}' }]\n`,
  );
  expect(endpointsOf(config, 'inbox')).toMatchObject([
    {
      name: 'onSettled',
      target: { kind: 'command', command: [join(folder, 'settled.sh'), 'a'] },
      batch: { maxItems: 100, maxWait: 1_000 },
      concurrency: 1,
    },
  ]);
  expect(endpointsOf(config, 'scans').map(({ name }) => name)).toEqual(['p']);
});

test('secrets and headers may come from the environment, and are not shown; of the URL only the origin is', async () => {
  const { config, env } = await load(
    `${SOURCES}webhooks: [{ name: p, url: '\${HOOK}', secret: ['\${NEW}', '${SECRET}'], headers: { authorization: 'Bearer \${T}' } }]\n`,
    { HOOK: 'https://hooks.example/T0/very-secret?x=1', NEW: newSecret(), T: 'token-9' },
  );
  expect(endpointsOf(config, 'inbox')[0]?.target).toMatchObject({
    headers: { authorization: 'Bearer token-9' },
  });
  const shown = JSON.stringify(redactConfig(config, env));
  expect(shown).toContain('"url":"https://hooks.example"');
  for (const secret of ['very-secret', 'whsec_', 'token-9']) expect(shown).not.toContain(secret);
});

test('every mistake is told at once, with the fix', async () => {
  const checked = await check(`${SOURCES}webhooks:
  - { name: p, url: 'ftp://x', secret: hunter2 }
  - { name: P, url: 'https://x', secret: whsec_c2hvcnQ=, sources: [inbx] }
  - { name: onsettled, url: 'https://x', secret: ['${SECRET}', 'whsec_%'], headers: { webhook-id: x } }
  - { name: q, url: 'https://x', secret: '${SECRET}', events: [file.done], timeout: 0s }
`);
  expect(checked.ok ? [] : checked.problems).toEqual([
    'slipway.yaml:4: webhooks[0].url: must be an http or https URL',
    'slipway.yaml:4: webhooks[0].secret: must begin with whsec_: slipway webhooks secret makes one',
    'slipway.yaml:5: webhooks[1].secret: must hold 24 to 64 bytes, not 5: slipway webhooks secret makes one',
    expect.stringContaining('webhooks[1].name: is the name of webhooks[0] too'),
    'slipway.yaml:5: webhooks[1].sources[0]: there is no source `inbx`: did you mean `inbox`?',
    'slipway.yaml:6: webhooks[2].secret[1]: must be whsec_ and base64: slipway webhooks secret makes one',
    'slipway.yaml:6: webhooks[2].headers.webhook-id: is set by Slipway: remove it',
    'slipway.yaml:6: webhooks[2].name: is kept for the `onSettled` of sources: choose another name',
    expect.stringContaining('webhooks[3].events[0]: must be file.uploaded, file.failed, file.skipped'),
    'slipway.yaml:7: webhooks[3].timeout: must be at least 100ms',
  ]);
});

test('a password in a URL is refused, with the place for it, and not shown', async () => {
  const checked = await check(
    `${SOURCES}webhooks: [{ name: p, url: 'https://me:hunter2@x.example/h', secret: '${SECRET}' }]\n`,
  );
  expect(checked.ok ? [] : checked.problems).toEqual([
    'slipway.yaml:3: webhooks[0].url: must not hold a user name or password: put them into headers.authorization, `Basic <base64 of user:password>`',
  ]);
  expect(JSON.stringify(checked)).not.toContain('hunter2');
});

test('a fresh secret is one that signs, and no two are the same', () => {
  const secret = newSecret();
  expect(secretProblem(secret)).toBeNull();
  expect(Buffer.from(secret.slice(6), 'base64')).toHaveLength(32);
  expect(newSecret()).not.toBe(secret);
});
