import { expect, test } from 'vitest';
import { loadPreset, parsePreset, presetNames } from '../../../src/destinations/definition/presets.ts';
import { definitionOf } from '../../support/destination-definitions.ts';

const FAMILY = [
  ...['anthropic', 'autoglm', 'bigmodel', 'coze', 'dashscope', 'deepseek', 'dify', 'groq', 'kimi'],
  ...['minimax', 'mistral', 'openai', 'siliconflow', 'together', 'vectorx'],
];

test('the presets that ship are the whole family', () => {
  expect(presetNames()).toEqual(FAMILY);
});

test.each(FAMILY)('preset %s can be used and says where its facts come from', (name) => {
  const preset = loadPreset(name);
  expect(preset.checked).toBe('2026-11');
  expect(preset.source.length).toBeGreaterThan(0);
  expect(definitionOf(name).url).toMatch(/^https?:\/\//);
});

test.each([
  ['anthropic', 'https://api.anthropic.com/v1/files'],
  ['autoglm', 'https://autoglm-api.autoglm.ai/agentdr/v1/assistant/upload-mix'],
  ['bigmodel', 'https://open.bigmodel.cn/api/paas/v4/files'],
  ['bigmodel', 'https://open.bigmodel.cn/api/paas/v4/files'],
  ['coze', 'https://api.coze.cn/v1/files/upload'],
  ['dashscope', 'https://dashscope.aliyuncs.com/compatible-mode/v1/files'],
  ['deepseek', 'https://api.deepseek.com/files'],
  ['dify', 'https://api.dify.ai/v1/files/upload'],
  ['groq', 'https://api.groq.com/openai/v1/files'],
  ['kimi', 'https://api.moonshot.cn/v1/files'],
  ['minimax', 'https://api.minimaxi.com/v1/files/upload'],
  ['mistral', 'https://api.mistral.ai/v1/files'],
  ['openai', 'https://api.openai.com/v1/files'],
  ['together', 'https://api.together.ai/v1/files/upload'],
])('%s uploads to %s', (name, url) => {
  expect(definitionOf(name).url).toBe(url);
});

test.each([
  ['autoglm', 'china', 'https://autoglm-api.zhipuai.cn/agentdr/v1/assistant/upload-mix'],
  ['dashscope', 'international', 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1/files'],
  ['kimi', 'international', 'https://api.moonshot.ai/v1/files'],
  ['minimax', 'international', 'https://api.minimax.io/v1/files/upload'],
])('%s in region %s uploads to %s', (name, region, url) => {
  expect(definitionOf(name, { region }).url).toBe(url);
});

test('only AutoGLM publishes what it is given', () => {
  const open = FAMILY.filter((name) => loadPreset(name).visibility === 'public');
  expect(open).toEqual(['autoglm']);
});

test('AutoGLM sends one part named files, reads its token locally and signs', () => {
  const definition = definitionOf('autoglm');
  expect(definition.fileField).toBe('files');
  expect(definition.fields).toEqual([]);
  expect(definition.token).toMatchObject({ url: 'http://127.0.0.1:18432/get_token' });
  expect(definition.signer).toMatchObject({ kind: 'md5-appid', appid: '100003' });
  expect(definition.limits).toEqual({ maxBytes: null, minBytes: null, extensions: null });
});

test('Anthropic carries its key bare, in a header of its own', () => {
  expect(definitionOf('anthropic').auth).toEqual({ header: 'x-api-key', scheme: null });
});

test.each([
  ['file-extract', 150, '.pdf', '.jsonl'],
  ['batch', 500, '.jsonl', '.pdf'],
  ['fine-tune', 300, '.jsonl', '.pdf'],
])('DashScope purpose %s takes up to %d MiB of %s and not %s', (purpose, mebibytes, taken, refused) => {
  const { limits, fields } = definitionOf('dashscope', { fields: { purpose } });
  expect(fields).toEqual([['purpose', purpose]]);
  expect(limits.maxBytes).toBe(mebibytes * 2 ** 20);
  expect(limits.extensions).toContain(taken);
  expect(limits.extensions).not.toContain(refused);
});

test('DashScope waits for processed files when asked, at the documented rate', () => {
  expect(definitionOf('dashscope').readiness).toBeNull();
  expect(definitionOf('dashscope', { waitUntilReady: true }).readiness).toMatchObject({
    url: 'https://dashscope.aliyuncs.com/compatible-mode/v1/files/{id}',
    ready: ['processed'],
    failed: ['error'],
    perSecond: 10,
  });
});

test('documented quotas are on record', () => {
  expect(loadPreset('dashscope').rate).toEqual({ perSecond: 3 });
  expect(loadPreset('openai').rate).toEqual({ perMinute: 1000 });
});

test('an unknown preset names the known ones', () => {
  expect(() => loadPreset('dropbox')).toThrow(/no preset "dropbox": use one of anthropic, autoglm/);
  expect(() => loadPreset('../../package')).toThrow(/no preset/);
});

test('every mistake in a preset is named with its line', () => {
  const text = [
    'title: X',
    'checked: soon',
    'source: [a]',
    'verified: live',
    'visibility: private',
    'colour: red',
  ].join('\n');
  expect(() => parsePreset(text, 'x')).toThrow(/line 2: checked: .*; line 1: .*colour/);
});
