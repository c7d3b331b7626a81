import { expect, test } from 'vitest';
import {
  type DestinationConfig,
  destinationConfigSchema,
} from '../../../src/destinations/definition/definition-schema.ts';
import { destinationProblems } from '../../../src/destinations/definition/resolve-destination.ts';
import { openDestination } from '../../../src/destinations/open-destination.ts';
import { silentLog } from '../../../src/domain/log.ts';
import { answerOf, definitionFrom, definitionOf } from '../../support/destination-definitions.ts';

const MIB = 2 ** 20;
const never = new AbortController().signal;

const BLOCK = {
  above: '10MB',
  maxBytes: '1GB',
  partBytes: '5MB',
  create: { url: '{base}/uploads', numbers: ['ttl', 'keep[days]'], id: '/upload/key' },
  part: { url: '{base}/uploads/{upload}/parts', field: 'chunk', id: '/part/key' },
  complete: { url: '{base}/uploads/{upload}/done', partIds: 'parts', md5: 'sum', file: '/result/file' },
  cancel: { url: '{base}/uploads/{upload}/drop' },
};

const OWN = {
  url: '{base}/files',
  params: { base: 'https://files.example.com/v2' },
  query: { api: '3' },
  fields: { ttl: 60, label: '{filename}', 'keep[days]': 7, 'keep[who]': 'me' },
  success: { equals: { '/ok': true } },
  answer: { id: '/id', bytes: '/size', expiresAt: '/until' },
  ref: 'archive:{id}',
  parts: BLOCK,
};

function open(config: object) {
  return openDestination(definitionFrom(config), {
    fetchText: () => Promise.reject(new Error('no token to read')),
    log: silentLog,
    now: () => 0,
    random: () => 0,
    env: { KEY: 'sk-own-secret' },
  });
}

function problems(config: object): readonly string[] {
  const parsed: DestinationConfig = destinationConfigSchema.parse(config);
  return destinationProblems('test', parsed).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('the OpenAI preset sends files above 512 MB in parts of at most 64 MB, up to 8 GiB', () => {
  const { parts, limits } = definitionOf('openai');
  expect(parts).toMatchObject({
    aboveBytes: 512_000_000,
    partBytes: 64_000_000,
    lifetimeMs: 3_600_000,
    create: { url: 'https://api.openai.com/v1/uploads' },
    part: { url: 'https://api.openai.com/v1/uploads/{upload}/parts', field: 'data' },
    complete: { url: 'https://api.openai.com/v1/uploads/{upload}/complete', partIds: 'part_ids' },
    cancel: { url: 'https://api.openai.com/v1/uploads/{upload}/cancel' },
  });
  expect(limits.maxBytes).toBe(8 * 1024 * MIB);
});

test.each<[string, object, number]>([
  ['a purpose with a limit of its own', { fields: { purpose: 'batch' } }, 200 * MIB],
  ['a limit that the user set', { limits: { maxBytes: '1GiB' } }, 1024 * MIB],
  ['no parts', { parts: null }, 512 * MIB],
])('%s decides over the limit of parts', (_, overrides, maxBytes) => {
  expect(definitionOf('openai', overrides).limits.maxBytes).toBe(maxBytes);
});

test('params move the calls of parts along; a url on another host leaves a preset without them', () => {
  expect(definitionOf('openai', { params: { base: 'http://127.0.0.1:1/v1' } }).parts?.create.url).toBe(
    'http://127.0.0.1:1/v1/uploads',
  );
  const elsewhere = definitionOf('openai', { url: 'https://gateway.example.com/files' });
  expect(elsewhere.parts).toBeNull();
  expect(elsewhere.limits.maxBytes).toBe(512 * MIB);
  expect(open(OWN).parts).not.toBeNull();
  expect(open({ ...OWN, parts: undefined }).parts).toBeNull();
});

test('an announcement carries fields and facts as JSON, numbers and members as they are there', async () => {
  const file = { name: 'a "b".pdf', bytes: 11_000_000, contentType: 'application/pdf' };
  const call = await open({ ...OWN, token: { env: 'KEY' } }).parts?.authorize(
    { step: 'create', file },
    never,
  );
  expect(call).toMatchObject({
    method: 'POST',
    url: 'https://files.example.com/v2/uploads?api=3',
    headers: { Authorization: 'Bearer sk-own-secret' },
  });
  expect(JSON.parse(call?.json ?? '')).toEqual({
    ttl: 60,
    label: 'a "b".pdf',
    keep: { days: 7, who: 'me' },
    bytes: 11_000_000,
    filename: 'a "b".pdf',
    mime_type: 'application/pdf',
  });
});

test('the id of an upload cannot change the shape of a URL', async () => {
  const { parts } = open(OWN);
  const uploadId = 'a/../b?c#d';
  const encoded = 'https://files.example.com/v2/uploads/a%2F..%2Fb%3Fc%23d';
  expect(await parts?.authorize({ step: 'part', uploadId }, never)).toMatchObject({
    url: `${encoded}/parts?api=3`,
    json: null,
  });
  expect(
    await parts?.authorize({ step: 'complete', uploadId, partIds: ['2', '1'], md5: 'abc' }, never),
  ).toMatchObject({ url: `${encoded}/done?api=3`, json: '{"parts":["2","1"],"sum":"abc"}' });
  expect(await parts?.authorize({ step: 'cancel', uploadId }, never)).toMatchObject({
    url: `${encoded}/drop?api=3`,
  });
});

test('each answer is read where its call says, and the last one as that of a plain upload', async () => {
  const { parts } = open(OWN);
  const call = { step: 'cancel', uploadId: 'u' } as const;
  const request = await parts?.authorize(call, never);
  if (parts === null || request === undefined) throw new Error('no parts');
  const file = { name: 'a', bytes: 1, contentType: 'text/plain' };
  expect(
    parts.judge({ step: 'create', file }, answerOf(200, { upload: { key: 'u7' } }), request),
  ).toMatchObject({
    kind: 'uploaded',
    accepted: { fileId: 'u7' },
  });
  expect(
    parts.judge({ step: 'part', uploadId: 'u7' }, answerOf(201, { part: { key: 'p1' } }), request),
  ).toMatchObject({ kind: 'uploaded', accepted: { fileId: 'p1' } });
  const complete = { step: 'complete', uploadId: 'u7', partIds: ['p1'], md5: 'x' } as const;
  const whole = { result: { file: { ok: true, id: 'f1', size: 9, until: 1_800_000_000 } } };
  expect(parts.judge(complete, answerOf(200, whole), request)).toMatchObject({
    kind: 'uploaded',
    remoteBytes: 9,
    accepted: { fileId: 'f1', ref: 'archive:f1', expiresAt: '2027-01-15T08:00:00.000Z', remote: whole },
  });
  // The success test holds for the file within, not for what is around it.
  for (const body of [{ ok: true, id: 'u7' }, { result: { file: { ok: false, id: 'f1' } } }])
    expect(parts.judge(complete, answerOf(200, body), request)).toMatchObject({
      kind: 'failed',
      failure: { code: 'bad_answer' },
    });
});

test.each<[string, object, string]>([
  [
    'a call on another host',
    { ...BLOCK, cancel: { url: 'https://elsewhere.example.com/{upload}' } },
    'parts.cancel.url: must be on the same host as url: begin both with {base}',
  ],
  [
    'no place for the id',
    { ...BLOCK, part: { url: '{base}/parts', id: '/id' } },
    'parts.part.url: must hold {upload}, the place of the id that create answered',
  ],
  [
    'a param nobody gives',
    { ...BLOCK, create: { url: '{base}/{team}/uploads', id: '/id' } },
    'params.team: is required: parts.create.url has a place for it',
  ],
])('%s is reported', (_, parts, problem) => {
  expect(problems({ ...OWN, parts })).toEqual([problem]);
});

test('a size of nothing is no size of a part', () => {
  expect(() => definitionFrom({ ...OWN, parts: { ...BLOCK, partBytes: 0 } })).toThrow(/more than nothing/);
});
