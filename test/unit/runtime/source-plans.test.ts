import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';
import { configuredPlans, ownPathsOf } from '../../../src/runtime/plans/source-plans.ts';

test('no file of Slipway itself, nor a token or certificate the config names, is ever ingested', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-plans-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'slipway.yaml');
  writeFileSync(
    file,
    `dataDir: ./data
network: { caFile: ./keys/ca.pem }
destinations:
  qwen: { preset: dashscope, token: { file: ./keys/qwen.token } }
  gpt: { preset: openai, token: { env: KEY } }
sources:
  inbox: { path: ., destination: qwen, manifest: ./out/inbox.json }
`,
  );
  const loaded = await loadConfig({ file, env: { KEY: 'k' }, cwd: folder, flags: {} });
  const own = ownPathsOf(loaded, configuredPlans(loaded.config));
  for (const path of [
    'data/',
    'slipway.yaml',
    '.env',
    'keys/ca.pem',
    'keys/qwen.token',
    'out/inbox.json',
    'out/inbox.jsonl',
  ]) {
    expect(own).toContain(`${folder}/${path}`);
  }
});
