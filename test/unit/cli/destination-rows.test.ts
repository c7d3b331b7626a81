import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { destinationRows, presetRow } from '../../../src/cli/screen/destination-rows.ts';
import { checkConfig } from '../../../src/config/load-config.ts';
import { presetNames } from '../../../src/destinations/definition/presets.ts';

async function configOf(text: string) {
  const cwd = mkdtempSync(join(tmpdir(), 'slipway-rows-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  const file = join(cwd, 'slipway.yaml');
  writeFileSync(file, text);
  const check = await checkConfig({ file, env: {}, cwd });
  if (!check.ok) throw new Error(check.problems.join('\n'));
  return check.loaded.config;
}

test('without a config file the list is the presets', () => {
  expect(destinationRows(null, {}).map(({ name }) => name)).toEqual(presetNames());
});

test.each([
  ['openai', ['token: set the environment variable OPENAI_API_KEY']],
  ['autoglm', []],
  ['vectorx', [expect.stringMatching(/^params\.agentId: /)]],
  [
    'siliconflow',
    [expect.stringMatching(/^params\.base: /), expect.stringMatching(/^token: .*SILICONFLOW_API_KEY/)],
  ],
  ['dify', [expect.stringMatching(/^fields\.user: /), expect.stringMatching(/^token: .*DIFY_API_KEY/)]],
])('a preset says what it needs before its first use: %s', (name, needs) => {
  expect(presetRow(name, {}).needs).toEqual(needs);
});

test('a variable that is set is needed no more, and its value is nowhere', () => {
  const row = presetRow('openai', { OPENAI_API_KEY: 'sk-very-secret' });
  expect(row).toMatchObject({ needs: [], token: '$OPENAI_API_KEY', url: 'https://api.openai.com/v1/files' });
  expect(JSON.stringify(row)).not.toContain('sk-very-secret');
});

test('destinations of the config file come first, marked as such, without secrets', async () => {
  const config = await configOf(`destinations:
  qwen: { preset: dashscope, region: international, token: { value: sk-very-secret } }
  own: { url: 'https://files.example.com/up?key=very-secret', answer: { url: /link }, token: { command: [print, very-secret] } }
`);
  const rows = destinationRows(config, {});
  expect(rows.slice(0, 2)).toMatchObject([
    {
      name: 'qwen',
      kind: 'configured',
      preset: 'dashscope',
      url: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1/files',
      token: 'in the config file',
      needs: [],
    },
    {
      name: 'own',
      kind: 'configured',
      preset: null,
      url: 'https://files.example.com/up',
      token: 'a command',
    },
  ]);
  expect(rows.slice(2).every(({ kind }) => kind === 'preset')).toBe(true);
  expect(JSON.stringify(rows)).not.toContain('very-secret');
});
