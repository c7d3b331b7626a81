import { expect, test } from 'vitest';
import { orderedSecrets } from '../../../src/destinations/answer/redact-secrets.ts';
import { judgeAnswer } from '../../../src/destinations/answer/verdict.ts';
import { answerOf, definitionFrom, definitionOf } from '../../support/destination-definitions.ts';

const context = { nowMs: Date.parse('2026-11-22T00:00:00Z'), secrets: orderedSecrets([]) };
const judge = (preset: string, status: number, body: unknown, headers: Record<string, string> = {}) =>
  judgeAnswer(definitionOf(preset), answerOf(status, body, headers), context);

const ossInfo = {
  filename: 'a.md',
  oss_name: 'auto_fly/8a4e6ab6/a.md',
  oss_url: 'https://autoglm-agent.aminer.cn/auto_fly/8a4e6ab6/a.md',
};
const autoglmOk = {
  code: 0,
  msg: 'SUCCESS',
  time: 1773199477734,
  trace: '78dd',
  data: { message: '', oss_info: [ossInfo] },
};
const fileObject = {
  id: 'file-fe-1',
  object: 'file',
  bytes: 2055,
  created_at: 1729065448,
  filename: 't.txt',
  purpose: 'file-extract',
  status: 'processed',
};

test('AutoGLM’s success gives URL, id, ref and the answer itself', () => {
  expect(judge('autoglm', 200, autoglmOk)).toEqual({
    kind: 'uploaded',
    accepted: {
      url: ossInfo.oss_url,
      fileId: ossInfo.oss_name,
      ref: ossInfo.oss_url,
      expiresAt: null,
      remote: autoglmOk,
    },
    remoteBytes: null,
  });
});

test.each([
  ['openai', 200, fileObject, { fileId: 'file-fe-1', ref: 'file-fe-1' }, 2055],
  ['dashscope', 200, fileObject, { fileId: 'file-fe-1', ref: 'fileid://file-fe-1' }, 2055],
  [
    'vectorx',
    200,
    { code: 0, msg: 'success', data: fileObject },
    { fileId: 'file-fe-1', ref: 'fileid://file-fe-1' },
    2055,
  ],
  ['vectorx', 500, { code: 0, msg: 'success', data: fileObject }, { fileId: 'file-fe-1' }, 2055],
  ['kimi', 200, { id: 'k1', bytes: 3, status: 'ok' }, { fileId: 'k1' }, 3],
  ['bigmodel', 200, { id: 'b1' }, { fileId: 'b1' }, null],
  ['coze', 200, { code: 0, msg: '', data: { id: '73', bytes: 9, file_name: 'a' } }, { fileId: '73' }, 9],
  ['dify', 201, { id: 'd1', name: 'a', size: 7 }, { fileId: 'd1' }, 7],
  ['deepseek', 200, { id: 'file-api-1' }, { fileId: 'file-api-1' }, null],
  ['anthropic', 200, { id: 'file_1', size_bytes: 5 }, { fileId: 'file_1' }, 5],
  ['mistral', 200, { id: 'm1' }, { fileId: 'm1' }, null],
  ['groq', 200, { id: 'g1' }, { fileId: 'g1' }, null],
  ['together', 200, { id: 't1' }, { fileId: 't1' }, null],
  [
    'minimax',
    200,
    { file: { file_id: 12 }, base_resp: { status_code: 0, status_msg: 'success' } },
    { fileId: '12' },
    null,
  ],
  ['siliconflow', 200, { id: 's1' }, { fileId: 's1' }, null],
])('%s: HTTP %d with its documented success is an upload', (preset, status, body, accepted, remoteBytes) => {
  expect(judge(preset, status, body)).toMatchObject({ kind: 'uploaded', accepted, remoteBytes });
});

test.each([
  ['null', null, null],
  ['nothing', undefined, null],
  ['an empty text', '', null],
  ['a text that is no number', '5 KB', null],
  ['a number', 5, 5],
  ['a number as text', '5', 5],
  ['zero', 0, 0],
])('a size that is %s', (_what, bytes, remoteBytes) => {
  expect(judge('openai', 200, { id: 'file-1', bytes })).toMatchObject({ kind: 'uploaded', remoteBytes });
});

test.each([
  ['seconds', 1_795_000_000],
  ['seconds as text', '1795000000'],
  ['milliseconds', 1_795_000_000_000],
  ['milliseconds as text', '1795000000000'],
  ['a date', '2026-11-18T11:06:40Z'],
  ['a date with an offset', '2026-11-18T19:06:40+08:00'],
])('an end of life in %s', (_what, expires_at) => {
  const verdict = judge('openai', 200, { id: 'file-1', expires_at });
  expect(verdict).toMatchObject({ accepted: { expiresAt: '2026-11-18T11:06:40.000Z' } });
});

test.each([['soon'], [''], [0], [9e15], [null]])('an end of life that is %j is none', (expires_at) => {
  expect(judge('openai', 200, { id: 'file-1', expires_at })).toMatchObject({ accepted: { expiresAt: null } });
});

test.each([
  // AutoGLM: HTTP 200, the code tells
  ['autoglm', 200, { code: 400000, msg: '用户未登录，请重新登录' }, 'unauthenticated', 'unauthenticated'],
  ['autoglm', 200, { code: 400001, msg: '请求数据有问题,请检查后重试' }, 'rejected', 'rejected'],
  ['autoglm', 200, { code: 400002, msg: '请求签名有问题,请检查后重试' }, 'misconfigured', 'clock_drift'],
  ['autoglm', 200, { code: 400003, msg: '请求参数有问题,请检查后重试' }, 'rejected', 'rejected'],
  ['autoglm', 200, { code: 400004, msg: '请求的数据重复,请重新尝试' }, 'rejected', 'rejected'],
  ['autoglm', 200, { code: 400005, msg: '请求频次太快了,请稍等再试' }, 'throttled', 'throttled'],
  [
    'autoglm',
    200,
    { code: 410000, msg: 'This feature is available after logging in.' },
    'misconfigured',
    'misconfigured',
  ],
  [
    'autoglm',
    200,
    { error_code: 410000, error_msg: 'This feature is available after logging in.' },
    'misconfigured',
    'misconfigured',
  ],
  ['autoglm', 200, { error_code: 400000, error_msg: 'log in' }, 'unauthenticated', 'unauthenticated'],
  ['autoglm', 200, { code: 500000, msg: '服务遇到了问题' }, 'unavailable', 'unavailable'],
  ['autoglm', 200, { code: 500001, msg: '服务遇到了问题' }, 'unavailable', 'unavailable'],
  ['autoglm', 200, { code: 510001, msg: '数据获取有问题' }, 'unavailable', 'unavailable'],
  ['autoglm', 200, { code: 520001, msg: '数据获取有问题' }, 'unavailable', 'unavailable'],
  ['autoglm', 200, { code: 999999, msg: 'new' }, 'unavailable', 'bad_answer'],
  ['autoglm', 200, { code: '0', data: { oss_info: [ossInfo] } }, 'unavailable', 'bad_answer'],
  ['autoglm', 200, { code: 0, msg: 'SUCCESS', data: { oss_info: [] } }, 'unavailable', 'bad_answer'],
  [
    'autoglm',
    200,
    { code: 0, msg: 'SUCCESS', data: { oss_info: [{ ...ossInfo, oss_url: '' }] } },
    'unavailable',
    'bad_answer',
  ],
  ['autoglm', 401, '', 'unauthenticated', 'unauthenticated'],
  ['autoglm', 403, { code: 7, msg: 'no' }, 'misconfigured', 'misconfigured'],
  ['autoglm', 413, '<html>', 'rejected', 'rejected'],
  ['autoglm', 429, '', 'throttled', 'throttled'],
  ['autoglm', 500, { code: 500000, msg: 'x' }, 'unavailable', 'unavailable'],
  ['autoglm', 502, '<html>', 'unavailable', 'unavailable'],
  // VectorX: the code alone decides
  ['vectorx', 200, { code: 400, msg: 'bad', data: {} }, 'rejected', 'rejected'],
  ['vectorx', 200, { code: 401, msg: 'Incorrect API key' }, 'unauthenticated', 'unauthenticated'],
  ['vectorx', 200, { code: 413, msg: 'too large' }, 'rejected', 'rejected'],
  ['vectorx', 200, { code: 429, msg: 'slow down' }, 'throttled', 'throttled'],
  [
    'vectorx',
    200,
    { code: 429, msg: 'q', data: { error: { code: 'insufficient_quota' } } },
    'exhausted',
    'exhausted',
  ],
  ['vectorx', 200, { code: 400, msg: 'q', data: { error: { code: 'Arrearage' } } }, 'exhausted', 'exhausted'],
  ['vectorx', 200, { code: 503, msg: '文件上传失败' }, 'unavailable', 'unavailable'],
  ['vectorx', 500, { code: 413, msg: 'too large' }, 'rejected', 'rejected'],
  ['vectorx', 200, { code: -1, msg: '文件上传失败' }, 'unavailable', 'unavailable'],
  ['vectorx', 200, { code: 0, msg: 'success' }, 'unavailable', 'bad_answer'],
  ['vectorx', 200, { code: 7, msg: '?' }, 'unavailable', 'bad_answer'],
  ['vectorx', 404, 'Cannot POST /upload-openai-file', 'misconfigured', 'misconfigured'],
  ['vectorx', 502, '<html>', 'unavailable', 'unavailable'],
  // OpenAI and DashScope: both shapes
  [
    'openai',
    401,
    { error: { message: 'Incorrect API key', type: 'invalid_request_error', code: 'invalid_api_key' } },
    'unauthenticated',
    'unauthenticated',
  ],
  [
    'openai',
    429,
    { error: { message: 'slow', type: 'requests', code: 'rate_limit_exceeded' } },
    'throttled',
    'throttled',
  ],
  [
    'openai',
    429,
    { error: { message: 'pay', type: 'insufficient_quota', code: 'insufficient_quota' } },
    'exhausted',
    'exhausted',
  ],
  [
    'openai',
    429,
    { error: { message: 'pay', type: 'insufficient_quota', code: null } },
    'exhausted',
    'exhausted',
  ],
  [
    'openai',
    400,
    { error: { message: 'bad file', type: 'invalid_request_error', code: null } },
    'rejected',
    'rejected',
  ],
  [
    'openai',
    403,
    { error: { message: 'no', code: 'unsupported_country' } },
    'misconfigured',
    'misconfigured',
  ],
  ['openai', 404, { error: { message: 'no such route' } }, 'misconfigured', 'misconfigured'],
  ['openai', 408, '', 'unavailable', 'unavailable'],
  ['openai', 409, { error: { message: 'conflict' } }, 'unavailable', 'unavailable'],
  ['openai', 413, '', 'rejected', 'rejected'],
  ['openai', 500, { error: { message: 'oops' } }, 'unavailable', 'unavailable'],
  [
    'dashscope',
    401,
    { code: 'InvalidApiKey', message: 'Invalid API-key provided.', request_id: 'r' },
    'unauthenticated',
    'unauthenticated',
  ],
  ['dashscope', 400, { code: 'Arrearage', message: 'pay', request_id: 'r' }, 'exhausted', 'exhausted'],
  ['dashscope', 429, { error: { code: 'insufficient_quota', message: 'q' } }, 'exhausted', 'exhausted'],
  ['dashscope', 429, { error: { code: 'Throttling', message: 'q' } }, 'throttled', 'throttled'],
  ['dashscope', 400, { code: 'Throttling.RateQuota', message: 'q' }, 'throttled', 'throttled'],
  ['dashscope', 400, { code: 'Throttling.AllocationQuota', message: 'q' }, 'throttled', 'throttled'],
  [
    'dashscope',
    400,
    { error: { message: 'Requests rate limit exceeded, please try again later.' } },
    'throttled',
    'throttled',
  ],
  ['dashscope', 403, { code: 'AccessDenied', message: 'no' }, 'misconfigured', 'misconfigured'],
  ['dashscope', 400, { code: 'DataInspectionFailed', message: 'no' }, 'rejected', 'rejected'],
  [
    'dashscope',
    400,
    { error: { code: 'InvalidParameter', message: 'format is not supported' } },
    'rejected',
    'rejected',
  ],
  // the family
  ['kimi', 400, { error: { type: 'invalid_request_error', message: 'empty file' } }, 'rejected', 'rejected'],
  ['bigmodel', 429, { error: { code: '1302', message: 'rate' } }, 'throttled', 'throttled'],
  ['bigmodel', 429, { error: { code: '1113', message: 'unpaid' } }, 'exhausted', 'exhausted'],
  ['bigmodel', 429, { code: 1113, msg: 'unpaid' }, 'exhausted', 'exhausted'],
  ['bigmodel', 435, '', 'rejected', 'rejected'],
  ['coze', 200, { code: 4000, msg: 'bad' }, 'rejected', 'rejected'],
  ['coze', 200, { code: 4100, msg: 'auth' }, 'unauthenticated', 'unauthenticated'],
  ['coze', 200, { code: 4101, msg: 'perm' }, 'misconfigured', 'misconfigured'],
  ['coze', 200, { code: 4200, msg: 'none' }, 'misconfigured', 'misconfigured'],
  ['coze', 200, { code: 4013, msg: 'rate' }, 'throttled', 'throttled'],
  ['dify', 400, { code: 'no_file_uploaded', message: 'm', status: 400 }, 'rejected', 'rejected'],
  ['dify', 400, { code: 'too_many_files', message: 'm', status: 400 }, 'rejected', 'rejected'],
  ['dify', 413, { code: 'file_too_large', message: 'm', status: 413 }, 'rejected', 'rejected'],
  ['dify', 415, { code: 'unsupported_file_type', message: 'm', status: 415 }, 'rejected', 'rejected'],
  [
    'anthropic',
    413,
    { type: 'error', error: { type: 'request_too_large', message: 'm' }, request_id: 'r' },
    'rejected',
    'rejected',
  ],
  [
    'anthropic',
    529,
    { type: 'error', error: { type: 'overloaded_error', message: 'm' } },
    'unavailable',
    'unavailable',
  ],
  [
    'minimax',
    200,
    { base_resp: { status_code: 1004, status_msg: 'auth' } },
    'unauthenticated',
    'unauthenticated',
  ],
])('%s: HTTP %d %j is %s (%s)', (preset, status, body, kind, code) => {
  expect(judge(preset, status, body)).toMatchObject({
    kind: 'failed',
    failure: { kind, code, httpStatus: status },
  });
});

test.each([
  ['HTML', 200, '<!doctype html><title>Sign in</title>'],
  ['an empty body', 200, ''],
  ['JSON that was cut off', 200, '{"id":"file-1","by'],
  ['JSON that is no object', 200, '"ok"'],
  ['null', 200, 'null'],
  ['a success without an id', 200, '{"object":"file"}'],
  ['an empty id', 200, '{"id":""}'],
  ['an error without an error status', 200, '{"error":{"message":"x"}}'],
  ['an HTML 400 of some proxy', 400, '<html>Bad Request</html>'],
  ['nothing at all', 204, ''],
])('%s is an answer nobody knows: tried again, never a refusal', (_what, status, body) => {
  for (const preset of ['openai', 'dashscope', 'kimi', 'mistral']) {
    expect(judge(preset, status, body)).toMatchObject({
      failure: { kind: 'unavailable', code: 'bad_answer' },
    });
  }
});

test('a firewall’s HTML 403 says nothing about the credentials', () => {
  expect(judge('openai', 403, '<html>blocked</html>')).toMatchObject({ failure: { kind: 'unavailable' } });
});

test.each([
  [301, 'misconfigured'],
  [308, 'misconfigured'],
  [302, 'unavailable'],
  [307, 'unavailable'],
  [407, 'misconfigured'],
])('a redirect or proxy refusal %d is %s', (status, kind) => {
  expect(judge('openai', status, '')).toMatchObject({ failure: { kind } });
});

test('a failure says status, code, words, trace and what to do, in one line', () => {
  const verdict = judge('autoglm', 200, { code: 410000, msg: 'first\nsecond\u001b[31m', trace: 'abc' });
  expect(verdict).toMatchObject({
    failure: {
      message: 'HTTP 200, code 410000: first second [31m (trace abc); this account has no right to upload',
    },
  });
});

test('the id that support asks for may come in a header', () => {
  const verdict = judge('openai', 500, { error: { message: 'oops' } }, { 'x-request-id': 'req_1' });
  expect(verdict).toMatchObject({ failure: { message: 'HTTP 500: oops (trace req_1)' } });
});

test('a message of a megabyte is cut', () => {
  const verdict = judge('openai', 400, { error: { message: 'x'.repeat(1_000_000) } });
  expect(verdict.kind === 'failed' && verdict.failure.message.length).toBeLessThan(400);
});

test('VectorX’s 404 says which versions are needed', () => {
  const verdict = judge('vectorx', 404, 'Not Found');
  expect(verdict).toMatchObject({ failure: { message: expect.stringMatching(/0\.6\.2.*0\.4\.2/) } });
});

test.each([
  [{ 'retry-after': '7' }, 7000],
  [{ 'retry-after-ms': '250', 'retry-after': '7' }, 250],
  [{ 'retry-after': 'Sun, 22 Nov 2026 00:00:30 GMT' }, 30_000],
  [{}, null],
])('what the far side asks for is passed on: %j', (headers, retryAfterMs) => {
  expect(judgeAnswer(definitionOf('openai'), answerOf(429, '', headers), context)).toMatchObject({
    failure: { retryAfterMs },
  });
});

test.each([
  [1_800_000_000, '2027-01-15T08:00:00.000Z'],
  ['2026-12-01T00:00:00Z', '2026-12-01T00:00:00.000Z'],
  [null, null],
  ['soon', null],
])('an end of life %j becomes %j', (expires_at, expiresAt) => {
  expect(judge('openai', 200, { ...fileObject, expires_at })).toMatchObject({ accepted: { expiresAt } });
});

test('an id that no JavaScript number holds is kept digit by digit', () => {
  const body = '{"file":{"file_id":9223372036854775807},"base_resp":{"status_code":0}}';
  expect(judge('minimax', 200, body)).toMatchObject({ accepted: { fileId: '9223372036854775807' } });
});

test('a file that cannot be processed is refused at once when readiness was asked for', () => {
  const answer = answerOf(200, { ...fileObject, status: 'error' });
  expect(judgeAnswer(definitionOf('dashscope', { waitUntilReady: true }), answer, context)).toMatchObject({
    failure: { kind: 'rejected' },
  });
  expect(judgeAnswer(definitionOf('dashscope'), answer, context)).toMatchObject({ kind: 'uploaded' });
});

const TOKEN = 'sk-0123456789/abcdef';

test('a token that the far side echoes is in neither message nor remote', () => {
  const secrets = { ...context, secrets: orderedSecrets([`Bearer ${TOKEN}`, TOKEN]) };
  const ok = answerOf(200, { ...fileObject, echo: { [`k ${TOKEN}`]: [`Bearer ${TOKEN}!`] } });
  // The slash may also come escaped, which only a parsed body shows.
  const escaped = { ...ok, body: ok.body.replaceAll('/', '\\/') };
  for (const answer of [ok, escaped]) {
    const verdict = judgeAnswer(definitionOf('openai'), answer, secrets);
    expect(verdict).toMatchObject({ accepted: { remote: { echo: { 'k [secret]': ['[secret]!'] } } } });
  }
  const refused = answerOf(401, { error: { message: `${'x'.repeat(290)} ${TOKEN}` } });
  expect(JSON.stringify(judgeAnswer(definitionOf('openai'), refused, secrets))).not.toContain('sk-01');
});

test('a remote beyond 8 KiB is left out, and its file is accepted all the same', () => {
  for (const length of [9000, 1_000_000]) {
    expect(judge('openai', 200, { ...fileObject, note: 'x'.repeat(length) })).toMatchObject({
      accepted: { fileId: 'file-fe-1', remote: { truncated: true } },
    });
  }
});

test('an answer nested without end breaks nothing', () => {
  const deep = `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`;
  expect(judge('openai', 200, `{"id":"x","deep":${deep}}`)).toMatchObject({ kind: 'uploaded' });
});

test.each([
  ['auto_fly/u/第一课.mp4', 'auto_fly/u/%E7%AC%AC%E4%B8%80%E8%AF%BE.mp4'],
  ['auto_fly/u/a#b?c%41 d.md', 'auto_fly/u/a%23b%3Fc%2541%20d.md'],
  ['auto_fly/u/x (2007-2020)(1).xlsx', 'auto_fly/u/x%20(2007-2020)(1).xlsx'],
])('AutoGLM’s raw name %s becomes a URL that can be fetched, and stays raw in remote', (name, encoded) => {
  const host = 'https://autoglm-agent.aminer.cn/';
  const body = { ...autoglmOk, data: { oss_info: [{ oss_name: name, oss_url: host + name }] } };
  const verdict = judge('autoglm', 200, body);
  expect(verdict).toMatchObject({ accepted: { url: host + encoded, fileId: name, remote: body } });
  expect(decodeURIComponent(new URL(host + encoded).pathname)).toBe(`/${name}`);
});

test('an AutoGLM URL that does not end with its name is written as a browser writes it', () => {
  const body = {
    ...autoglmOk,
    data: { oss_info: [{ oss_name: 'other', oss_url: 'https://h.example/第 一?x=1' }] },
  };
  expect(judge('autoglm', 200, body)).toMatchObject({
    accepted: { url: 'https://h.example/%E7%AC%AC%20%E4%B8%80?x=1' },
  });
});

test.each(['javascript:alert(1)', 'http://', 'file:///etc/passwd'])('%s is no URL of a file', (url) => {
  const definition = definitionFrom({ url: 'https://files.example.com/upload', answer: { url: '/url' } });
  expect(judgeAnswer(definition, answerOf(200, { url }), context)).toMatchObject({
    failure: { code: 'bad_answer' },
  });
});

test('a relative URL is taken relative to the upload', () => {
  const definition = definitionFrom({ url: 'https://files.example.com/api/upload', answer: { url: '/url' } });
  expect(judgeAnswer(definition, answerOf(200, { url: '/f/1 2' }), context)).toMatchObject({
    accepted: { url: 'https://files.example.com/f/1%202' },
  });
});

test('a rule may look at type and message too', () => {
  const errors = [
    { typePattern: '^billing', kind: 'exhausted' },
    { status: [400, 422], messagePattern: 'virus', kind: 'rejected' },
    { messagePattern: 'virus', kind: 'unavailable' },
  ];
  const definition = definitionFrom({ url: 'https://x.example/', answer: { id: '/id' }, errors });
  const kindOf = (status: number, error: object) =>
    judgeAnswer(definition, answerOf(status, { error }), context);
  expect(kindOf(400, { type: 'billing_error' })).toMatchObject({ failure: { kind: 'exhausted' } });
  expect(kindOf(422, { message: 'a virus' })).toMatchObject({ failure: { kind: 'rejected' } });
  expect(kindOf(403, { message: 'a virus' })).toMatchObject({ failure: { kind: 'unavailable' } });
});

test.each([
  [{ ok: true, file: {} }, 'a success, but neither URL nor id at /file/link or /file/key'],
  [{ ok: false, code: 'E17', message: 'no folder' }, 'no rule in errors says what this code means'],
  [{ ok: 'true' }, 'the success test did not hold'],
])('whoever writes a definition is told what does not fit: %j', (body, hint) => {
  const definition = definitionFrom({
    url: 'https://files.example.com/upload',
    success: { equals: { '/ok': true } },
    answer: { url: '/file/link', id: '/file/key' },
  });
  const verdict = judgeAnswer(definition, answerOf(200, body), { nowMs: 0, secrets: orderedSecrets([]) });
  expect(verdict).toMatchObject({
    kind: 'failed',
    failure: { code: 'bad_answer', message: expect.stringContaining(hint) },
  });
});
