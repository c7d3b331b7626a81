import { expect, onTestFinished, test } from 'vitest';
import { loadPreset, presetNames } from '../../src/destinations/definition/presets.ts';
import { type OpenDestination, openDestination } from '../../src/destinations/open-destination.ts';
import { silentLog } from '../../src/domain/log.ts';
import { definitionOf } from '../support/destination-definitions.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { DOCUMENTED, startStrictFileApi } from '../support/strict-file-api.ts';
import { attempt, fileTask, testClient, uploadFolder } from '../support/upload-fixture.ts';

const KEY = 'sk-only-for-tests';
const SANDBOXED = ['autoglm', 'dashscope', 'openai', 'vectorx'];
const STRICT = Object.keys(DOCUMENTED);

/** A name that each service takes. */
const EXTENSIONS: Readonly<Record<string, string>> = { groq: '.jsonl', together: '.csv' };
const extensionFor = (preset: string): string => EXTENSIONS[preset] ?? '.txt';

/** The preset as a user would configure it, but sending to this machine. */
function open(preset: string, overrides: object, token = KEY): OpenDestination {
  const { fetchText } = testClient();
  const definition = definitionOf(preset, overrides);
  const { token: source } = loadPreset(preset);
  const env = source !== undefined && 'env' in source ? { [source.env]: token } : {};
  const ports = { fetchText, log: silentLog, now: Date.now, random: Math.random, env };
  const destination = openDestination(definition, ports);
  onTestFinished(() => destination.close());
  return destination;
}

/** Where the file ends up: the destination and the name under which it arrived. */
async function peerOf(preset: string): Promise<{ destination: OpenDestination; names(): string[] }> {
  if (STRICT.includes(preset)) {
    const server = await startStrictFileApi(preset, KEY);
    const destination = open(preset, { url: server.url });
    return { destination, names: () => server.taken.map(({ filename }) => filename) };
  }
  const sandbox = await sandboxForTest({
    limits: { dashscopeUploadsPerSecond: 1000, vectorxUploadsPerSecond: 1000 },
  });
  const at: Readonly<Record<string, object>> = {
    autoglm: { url: sandbox.autoglmUrl, token: { url: sandbox.tokenUrl } },
    vectorx: { url: sandbox.vectorxUrl },
    dashscope: { params: { base: sandbox.dashscopeBase } },
    openai: { params: { base: sandbox.openaiBase } },
  };
  const destination = open(preset, at[preset] ?? {});
  return { destination, names: () => sandbox.received().map(({ filename }) => filename) };
}

test('every preset has a strict server here, and says no more than that', () => {
  expect([...SANDBOXED, ...STRICT].sort()).toEqual(presetNames());
  for (const name of presetNames()) expect(loadPreset(name).verified).toBe('sandbox');
});

test.each(STRICT)('%s takes what its preset sends, and the preset reads its answer', async (preset) => {
  const api = DOCUMENTED[preset];
  expect(definitionOf(preset).url).toBe(api?.url);
  const server = await startStrictFileApi(preset, KEY);
  const name = `a${extensionFor(preset)}`;
  const task = fileTask(uploadFolder(), name, '{"some":"content"}\n');
  const result = await attempt(task, open(preset, { url: server.url }), testClient().send);
  expect(server.refusals).toEqual([]);
  expect(result).toMatchObject({
    kind: 'uploaded',
    accepted: { fileId: api?.id, ref: api?.id, url: null },
    requests: 1,
  });
  expect(server.taken).toEqual([
    {
      filename: name,
      contentType: result.kind === 'uploaded' ? result.contentType : '',
      content: Buffer.from('{"some":"content"}\n'),
      fields: expect.any(Object),
    },
  ]);
});

test.each(STRICT)(
  '%s with a wrong key stops the destination, and keeps the key to itself',
  async (preset) => {
    const server = await startStrictFileApi(preset, 'sk-the-right-one');
    const task = fileTask(uploadFolder(), `a${extensionFor(preset)}`, 'x');
    const result = await attempt(task, open(preset, { url: server.url }), testClient().send);
    expect(new Set(server.refusals)).toEqual(new Set(['wrong key']));
    expect(result).toMatchObject({
      kind: 'failed',
      failure: { kind: 'misconfigured', code: 'token_refused', httpStatus: 401 },
    });
    expect(JSON.stringify(result)).not.toContain(KEY);
  },
);

test.each(STRICT)('%s refuses a form with one part too many, so the stand-in is strict', async (preset) => {
  const server = await startStrictFileApi(preset, KEY);
  const destination = open(preset, { url: server.url });
  const { send } = testClient();
  const task = fileTask(uploadFolder(), `a${extensionFor(preset)}`, 'x');
  const spoiled: typeof destination = {
    ...destination,
    authorize: async (signal, file) => {
      const request = await destination.authorize(signal, file);
      return { ...request, fields: [...request.fields, ['colour', 'red']] };
    },
  };
  const result = await attempt(task, spoiled, send);
  expect(result.kind).toBe('failed');
  expect(server.refusals).toEqual([expect.stringContaining('part not taken')]);
});

/** As a form sends a name (WHATWG HTML, multipart/form-data): these three escaped, everything else raw. */
const NAMES: readonly (readonly [
  what: string,
  name: (extension: string) => string,
  sent: (extension: string) => string,
])[] = [
  ['a double quote', (e) => `say "hi"${e}`, (e) => `say %22hi%22${e}`],
  ['a backslash', (e) => `a\\b"${e}`, (e) => `a\\b%22${e}`],
  ['CR and LF', (e) => `a\r\nb${e}`, (e) => `a%0D%0Ab${e}`],
  ['CJK', (e) => `第一课 资料（1）${e}`, (e) => `第一课 资料（1）${e}`],
  ['emoji', (e) => `🙂👍🏽${e}`, (e) => `🙂👍🏽${e}`],
  ['255 bytes', (e) => longest(e), (e) => longest(e)],
];

function longest(extension: string): string {
  const room = 255 - Buffer.byteLength(extension);
  return `${'长'.repeat(Math.floor(room / 3))}${'a'.repeat(room % 3)}${extension}`;
}

test.each(presetNames())('names arrive as a browser sends them: %s', async (preset) => {
  const { destination, names } = await peerOf(preset);
  const { send } = testClient();
  const folder = uploadFolder();
  const extension = extensionFor(preset);
  for (const [what, name, sent] of NAMES) {
    const result = await attempt(fileTask(folder, name(extension), what), destination, send);
    expect(names().at(-1), what).toBe(sent(extension));
    // Anthropic documents that it takes no backslash; that is for the service to say.
    const refused = preset === 'anthropic' && what === 'a backslash';
    expect(result, what).toMatchObject(
      refused ? { kind: 'failed', failure: { kind: 'rejected' } } : { kind: 'uploaded' },
    );
  }
});

test('Kimi refuses an empty file, so it is not even sent', async () => {
  const server = await startStrictFileApi('kimi', KEY);
  const task = fileTask(uploadFolder(), 'empty.txt', '');
  expect(await attempt(task, open('kimi', { url: server.url }), testClient().send)).toMatchObject({
    kind: 'skipped',
    code: 'empty',
  });
  expect(server.refusals).toEqual([]);
});
