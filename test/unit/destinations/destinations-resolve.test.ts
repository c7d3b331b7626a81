import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { orderedSecrets } from '../../../src/destinations/answer/redact-secrets.ts';
import { judgeAnswer } from '../../../src/destinations/answer/verdict.ts';
import { destinationConfigSchema } from '../../../src/destinations/definition/definition-schema.ts';
import {
  destinationProblems,
  resolveDestination,
} from '../../../src/destinations/definition/resolve-destination.ts';
import { parseYaml } from '../../../src/platform/files/yaml-document.ts';
import { answerOf, definitionFrom, definitionOf } from '../../support/destination-definitions.ts';

const OWN = { url: 'https://files.example.com/upload', answer: { id: '/id' } };

function problemsOf(config: object): string[] {
  return destinationProblems('test', destinationConfigSchema.parse(config)).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  );
}

function refusals(config: object): string[] {
  const parsed = destinationConfigSchema.safeParse(config);
  return parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${z.core.toDotPath(issue.path)}: ${issue.message}`);
}

test('a definition of one’s own needs two keys and has sensible defaults', () => {
  expect(definitionFrom(OWN)).toMatchObject({
    preset: null,
    method: 'POST',
    url: 'https://files.example.com/upload',
    fileField: 'file',
    fileNames: 'as-is',
    fields: [],
    auth: { header: 'Authorization', scheme: 'Bearer' },
    token: null,
    signer: { kind: 'none' },
    visibility: 'unknown',
    acknowledgePublic: false,
    readiness: null,
    concurrency: null,
  });
});

test('the worked example of the documentation judges the answers it documents', () => {
  const page = readFileSync(new URL('../../../docs/destinations.md', import.meta.url), 'utf8');
  const example = /<!-- worked example -->\s*```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const { value, problems } = parseYaml(example);
  expect(problems).toEqual([]);
  const { destinations } = z
    .object({ destinations: z.object({ archive: destinationConfigSchema }) })
    .parse(value);
  const definition = resolveDestination('archive', destinations.archive);
  const context = { nowMs: 0, secrets: orderedSecrets([]) };

  const stored = { ok: true, file: { key: 'a/1', link: 'https://files.example.com/a/1' } };
  expect(judgeAnswer(definition, answerOf(200, stored), context)).toMatchObject({
    kind: 'uploaded',
    accepted: { url: 'https://files.example.com/a/1', fileId: 'a/1', ref: 'archive:a/1' },
  });
  const refused = (status: number, body: object) => judgeAnswer(definition, answerOf(status, body), context);
  expect(refused(200, { ok: false, code: 'quota', message: 'full' })).toMatchObject({
    failure: { kind: 'exhausted' },
  });
  expect(refused(200, { ok: false, code: 'virus', message: 'bad' })).toMatchObject({
    failure: { kind: 'rejected' },
  });
  expect(refused(200, { ok: false, code: 'new', message: '?' })).toMatchObject({
    failure: { code: 'bad_answer' },
  });
});

test('a preset is overridden key by key, and its field order is kept', () => {
  const definition = definitionOf('openai', {
    fields: { 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': 3600, purpose: 'batch' },
    headers: { 'X-Team': 'docs' },
    answer: { trace: '/trace' },
  });
  expect(definition.fields).toEqual([
    ['purpose', 'batch'],
    ['expires_after[anchor]', 'created_at'],
    ['expires_after[seconds]', '3600'],
  ]);
  expect(definition.headers).toEqual({ 'X-Team': 'docs' });
  expect(definition.answer.id).toEqual([['id']]);
  expect(definition.answer.trace).toEqual([['trace']]);
});

test('null takes a field of a preset away', () => {
  expect(definitionOf('vectorx', { fields: { purpose: null } }).fields).toEqual([]);
});

test('the whole url of a preset can be replaced, as by a local stand-in', () => {
  const url = 'http://127.0.0.1:4567/agentdr/v1/assistant/upload-mix';
  expect(definitionOf('autoglm', { url }).url).toBe(url);
});

test('params move a preset to another host, region or not', () => {
  const base = 'http://127.0.0.1:4567/v1/';
  expect(definitionOf('dashscope', { params: { base }, waitUntilReady: true })).toMatchObject({
    url: 'http://127.0.0.1:4567/v1/files',
    readiness: { url: 'http://127.0.0.1:4567/v1/files/{id}' },
  });
});

test('a param inside the path cannot change the shape of the URL', () => {
  const url = resolveDestination('test', { preset: 'vectorx', params: { agentId: '../../x?y#z' } }).url;
  expect(url).toBe('http://localhost:3000/v1/aiagent/agents/..%2F..%2Fx%3Fy%23z/upload-openai-file');
});

test('query values are added to the URL, encoded', () => {
  expect(definitionFrom({ ...OWN, query: { folder: 'a b&c' } }).url).toBe(
    'https://files.example.com/upload?folder=a+b%26c',
  );
});

test('one’s own error rules come before those of the preset', () => {
  const definition = definitionOf('autoglm', { errors: [{ code: 400004, kind: 'unavailable' }] });
  const verdict = judgeAnswer(definition, answerOf(200, { code: 400004, msg: 'again' }), {
    nowMs: 0,
    secrets: orderedSecrets([]),
  });
  expect(verdict).toMatchObject({ failure: { kind: 'unavailable' } });
});

test('one’s own limits beat those of the preset and leave the others alone', () => {
  const { limits } = definitionOf('dashscope', { limits: { maxBytes: '10MB' } });
  expect(limits.maxBytes).toBe(10_000_000);
  expect(limits.extensions).toContain('.pdf');
});

test('a relative token file is looked for beside the config', () => {
  const config = destinationConfigSchema.parse({ ...OWN, token: { file: 'secret/token' } });
  expect(resolveDestination('test', config, '/etc/slipway').token).toEqual({
    file: '/etc/slipway/secret/token',
  });
});

test('a resolved definition cannot be changed', () => {
  const definition = definitionOf('openai');
  expect(() => Object.assign(definition.auth, { header: 'X' })).toThrow(TypeError);
  expect(() => Object.assign(definition.fields, { 0: ['a', 'b'] })).toThrow(TypeError);
});

test.each([
  [
    'no url and no answer',
    {},
    ['url: is required where no preset gives it', 'answer: is required where no preset gives it'],
  ],
  [
    'an unknown preset',
    { preset: 'dropbox' },
    [expect.stringMatching(/^preset: there is no preset "dropbox": use one of anthropic/)],
  ],
  [
    'an unknown region',
    { preset: 'autoglm', region: 'mars' },
    ['region: must be one of international, china'],
  ],
  [
    'a region where there is none',
    { preset: 'openai', region: 'eu' },
    ['region: this destination has no regions'],
  ],
  ['a missing param', { preset: 'vectorx' }, [expect.stringMatching(/^params\.agentId: is required/)]],
  ['a url that is none', { ...OWN, url: 'files.example.com' }, ['url: must be an http:// or https:// URL']],
  [
    'a url with a password',
    { ...OWN, url: 'https://a:b@example.com/' },
    [expect.stringMatching(/^url: must not carry a user name/)],
  ],
  ['a missing field', { preset: 'dify' }, ['fields.user: is required by this API']],
  [
    'a field without its value list',
    { preset: 'mistral' },
    ['fields.purpose: is required by this API: one of fine-tune, batch, ocr, audio'],
  ],
  [
    'a value the API does not know',
    { preset: 'kimi', fields: { purpose: 'vision' } },
    ['fields.purpose: must be one of file-extract, image, video, batch'],
  ],
  [
    'an extra field for DashScope',
    { preset: 'dashscope', fields: { note: 'x' } },
    ['fields.note: this API takes no other text field than purpose'],
  ],
  [
    'an extra field for AutoGLM',
    { preset: 'autoglm', fields: { note: 'x' } },
    ['fields.note: this API takes no text fields'],
  ],
  [
    'a text field in place of the file',
    { ...OWN, fields: { file: 'x' } },
    ['fields.file: is the name of the field that carries the file'],
  ],
  [
    'an answer without url and id',
    { ...OWN, answer: { message: '/m' } },
    [expect.stringMatching(/^answer: needs url or id/)],
  ],
  [
    'a ref to an url that is not read',
    { ...OWN, ref: '{url}' },
    ['ref: uses {url}, but answer.url is not set'],
  ],
  [
    'waiting for what cannot be asked',
    { preset: 'kimi', waitUntilReady: true },
    ['waitUntilReady: this destination has no readiness to ask for'],
  ],
  [
    'waiting for files that have no id',
    {
      ...OWN,
      answer: { url: '/url' },
      waitUntilReady: true,
      readiness: { url: `${new URL(OWN.url).origin}/{id}`, status: '/s', ready: ['ok'], failed: [] },
    },
    ['waitUntilReady: needs answer.id: looks ask for a file by its id'],
  ],
  [
    'a token that would be shown to two hosts',
    { preset: 'openai', url: 'http://127.0.0.1:1/files', waitUntilReady: true },
    [expect.stringMatching(/^url: is on another host than readiness\.url/)],
  ],
])('%s is a problem that names its key', (_what, config, problems) => {
  expect(problemsOf(config)).toEqual(problems);
});

test('everything that is wrong is reported at once, under the name of the destination', () => {
  const config = destinationConfigSchema.parse({ preset: 'dify', region: 'eu', params: { base: 'ftp://x' } });
  expect(() => resolveDestination('docs', config)).toThrow(
    /destinations\.docs\.region: .*; destinations\.docs\.url: .*; destinations\.docs\.fields\.user: /,
  );
});

test.each([
  ['an unknown key', { ...OWN, colour: 'red' }],
  ['an unknown key further down', { ...OWN, answer: { id: '/id', colour: '/c' } }],
  ['a rate of nothing', { ...OWN, rate: { perSecond: 0 } }],
  ['a rate of two units', { ...OWN, rate: { perSecond: 3, perMinute: 60 } }],
  ['a pointer that is none', { ...OWN, answer: { id: 'data.id' } }],
  ['a pattern that is none', { ...OWN, errors: [{ codePattern: '(', kind: 'rejected' }] }],
  ['an error rule without a condition', { ...OWN, errors: [{ kind: 'rejected' }] }],
  ['an error kind nobody knows', { ...OWN, errors: [{ status: 400, kind: 'sad' }] }],
  ['a header the upload writes itself', { ...OWN, headers: { 'content-type': 'text/plain' } }],
  ['a header value with a line break', { ...OWN, headers: { 'X-A': 'a\r\nB: c' } }],
  ['two token sources at once', { ...OWN, token: { env: 'A', file: 'b' } }],
  ['a shell text without shell: true', { ...OWN, token: { command: 'pass show x' } }],
  ['a list with shell: true', { ...OWN, token: { command: ['a'], shell: true } }],
  ['a token service that is no URL', { ...OWN, token: { url: '127.0.0.1:18432' } }],
  ['an extension without its dot', { ...OWN, limits: { extensions: ['pdf'] } }],
])('the schema refuses %s', (_what, config) => {
  expect(refusals(config)).not.toEqual([]);
});

test('the quota is the user’s, else the preset’s; null takes it away', () => {
  const rateOf = (config: object) =>
    resolveDestination('d', destinationConfigSchema.parse(config)).rate?.perSecond ?? null;
  const dashscope = { preset: 'dashscope' };
  expect(rateOf(dashscope)).toBe(3);
  expect(rateOf({ ...dashscope, rate: { perSecond: 20 } })).toBe(20);
  expect(rateOf({ ...dashscope, rate: { perMinute: 30 } })).toBe(0.5);
  expect(rateOf({ ...dashscope, rate: null })).toBeNull();
  expect(rateOf({ preset: 'autoglm' })).toBeNull();
});

test('the schema can be published as JSON Schema', () => {
  const published = z.toJSONSchema(destinationConfigSchema, { io: 'input' });
  expect(published.additionalProperties).toBe(false);
  expect(Object.keys(published.properties ?? {})).toEqual(
    expect.arrayContaining(['preset', 'url', 'token', 'concurrency']),
  );
});
