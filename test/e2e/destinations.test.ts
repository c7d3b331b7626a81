import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseYaml } from '../../src/platform/files/yaml-document.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { newWorkplace } from '../support/workplace.ts';

test('destinations list and show tell what a preset needs, and what the config file makes of it', async () => {
  const place = await newWorkplace();
  const presets = await place.read(['destinations', 'list']);
  expect(presets).toMatchObject({ code: 0, stderr: '' });
  expect(presets.stdout).toMatch(/^ {2}openai +private +OpenAI Files +needs \$OPENAI_API_KEY$/m);
  const preset = await place.read(['destinations', 'show', 'bigmodel']);
  expect(preset.stdout).toMatch(/^# Preset bigmodel\. Before its first use it needs\n# {3}fields\.purpose: /);
  expect(parseYaml(preset.stdout).value).toMatchObject({ title: 'Zhipu BigModel', verified: 'sandbox' });

  await place.config({
    destinations: { openai: { preset: 'openai', region: null }, mine: { preset: 'dashscope' } },
  });
  const broken = await place.read(['destinations', 'show', 'dashscope']);
  expect(broken).toMatchObject({ code: 0, stderr: expect.stringContaining('only presets are shown') });

  await place.config({
    destinations: {
      openai: { preset: 'openai', fields: { purpose: 'vision' }, token: { value: 'sk-very-secret' } },
      mine: {
        url: 'https://files.example.com/up',
        headers: { 'X-Key': 'very-secret' },
        answer: { id: '/id' },
      },
    },
  });
  const list = await place.read(['destinations', 'list']);
  expect(list.stdout).toMatch(
    /^In the config file:\n {2}openai +private +preset openai +https:\/\/api\.openai\.com/,
  );
  expect(list.stdout).toMatch(
    /^ {2}mine +unknown +a definition of your own +https:\/\/files\.example\.com\/up$/m,
  );
  const configured = await place.read(['destinations', 'show', 'openai']);
  expect(configured.stdout).toContain('# It uploads to https://api.openai.com/v1/files');
  expect(parseYaml(configured.stdout).value).toMatchObject({
    fields: { purpose: 'vision' },
    parts: { above: '512MB', lifetime: '1h' },
  });
  const own = await place.read(['destinations', 'show', 'mine']);
  expect(list.stdout + configured.stdout + own.stdout).not.toContain('very-secret');
  const shipped = await place.read(['destinations', 'show', 'openai', '--preset']);
  expect(parseYaml(shipped.stdout).value).toMatchObject({ fields: { purpose: 'user_data' } });
});

test('a file above the threshold goes up in parts from the command line', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({ limits: { openaiMaxPartBytes: 100_000 } });
  const content = randomBytes(450_001);
  await place.file('big.pdf', content);
  const { parts } = parseYaml((await place.read(['destinations', 'show', 'openai'])).stdout).value as {
    parts: object;
  };
  await place.config({
    destinations: {
      openai: {
        preset: 'openai',
        params: { base: sandbox.openaiBase },
        token: { env: 'OPENAI_API_KEY' },
        parts: { ...parts, above: '200KB', partBytes: '100KB' },
      },
    },
  });
  const env = { ...place.env, OPENAI_API_KEY: 'sk-only-for-tests' };
  const { code, stdout } = await place.run(['upload', 'big.pdf', '--print', 'id'], { env });
  expect(code).toBe(0);
  expect(sandbox.received()).toMatchObject([
    { id: stdout.trim(), bytes: 450_001, sha256: createHash('sha256').update(content).digest('hex') },
  ]);
  expect(sandbox.summary().requests).toBe(1 + 5 + 1);
});
