import { expect, test } from 'vitest';
import type { FaultRuleInput } from '../../src/sandbox/trouble/fault-rule.ts';
import { sandboxForTest, uploadText } from '../support/sandbox.ts';

const codeOf = ({ body }: { body: string }): unknown => JSON.parse(body).code;

test.each([
  ['reset-before-body', 0],
  ['reset-after-body', 0],
  ['store-then-reset', 1],
] as const)('%s cuts the connection and leaves %i file(s) stored', async (action, stored) => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action, times: 1 }] });
  await expect(uploadText(sandbox)).rejects.toThrow(/ECONNRESET|EPIPE/);
  expect(sandbox.summary()).toMatchObject({ count: stored, faults: { [action]: 1 } });
  expect(codeOf(await uploadText(sandbox))).toBe(0);
  expect(sandbox.summary()).toMatchObject({ count: stored + 1, repeated: stored });
});

test.each([
  [{ action: 'store-then-500' }, 500, 1],
  [{ action: '500' }, 500, 0],
  [{ action: '503' }, 503, 0],
  [{ action: '401' }, 401, 0],
  [{ action: 'status', status: 413 }, 413, 0],
  [{ action: 'empty' }, 200, 0],
  [{ action: 'html' }, 200, 0],
  [{ action: 'html', status: 502 }, 502, 0],
] as const)('%o answers HTTP %i with %i file(s) stored', async (fault, status, stored) => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', ...fault }] });
  const answer = await uploadText(sandbox);
  expect(answer.status).toBe(status);
  expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(answer.body)));
  expect(sandbox.summary().count).toBe(stored);
});

test('a 429 says when to come back, if asked to', async () => {
  const sandbox = await sandboxForTest({
    faults: [
      { api: 'autoglm', action: '429', retryAfter: 7, times: 1 },
      { action: '429', api: 'autoglm' },
    ],
  });
  expect(await uploadText(sandbox)).toMatchObject({ status: 429, headers: { 'retry-after': '7' } });
  expect((await uploadText(sandbox)).headers['retry-after']).toBeUndefined();
});

test('a redirect points where it was told to', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'autoglm', action: 'redirect', location: 'http://127.0.0.1:1/elsewhere' }],
  });
  expect(await uploadText(sandbox)).toMatchObject({
    status: 307,
    headers: { location: 'http://127.0.0.1:1/elsewhere' },
  });
});

test('truncated JSON is the true answer cut short, huge JSON the true answer with a lot more', async () => {
  const faults: FaultRuleInput[] = [
    { api: 'autoglm', action: 'truncated-json', times: 1 },
    { api: 'autoglm', action: 'huge-json', bytes: 3_000_000 },
  ];
  const sandbox = await sandboxForTest({ faults });
  const truncated = await uploadText(sandbox);
  expect(truncated.body).toMatch(/^\{"code":0/);
  expect(() => JSON.parse(truncated.body)).toThrow();
  const huge = await uploadText(sandbox);
  expect(huge.body.length).toBeGreaterThan(3_000_000);
  expect(codeOf(huge)).toBe(0);
  expect(sandbox.summary().count).toBe(2);
});

test('a body code comes in both of the error shapes of AutoGLM', async () => {
  const sandbox = await sandboxForTest({
    faults: [
      { api: 'autoglm', action: 'code', code: 400005, times: 1 },
      { api: 'autoglm', action: 'code', code: 410000, shape: 'other' },
    ],
  });
  expect(JSON.parse((await uploadText(sandbox)).body)).toMatchObject({
    code: 400005,
    msg: '请求频次太快了,请稍等再试',
  });
  expect(JSON.parse((await uploadText(sandbox)).body)).toEqual({
    error_code: 410000,
    error_msg: 'This feature is available after logging in.',
  });
});

test('a hung answer ends when the sandbox closes', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: 'hang' }] });
  const hanging = expect(uploadText(sandbox)).rejects.toThrow();
  await expect.poll(() => sandbox.summary().faults).toEqual({ hang: 1 });
  expect(sandbox.summary()).toMatchObject({ uploadsInFlight: 1, count: 0 });
  await sandbox.close();
  await hanging;
});

test('a slow answer is the true one, later', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: 'slow', ms: 60 }] });
  const begun = performance.now();
  expect(codeOf(await uploadText(sandbox))).toBe(0);
  expect(performance.now() - begun).toBeGreaterThan(55);
});

test('every, after and times choose the requests they say', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'autoglm', action: '500', after: 1, every: 2, times: 2 }],
  });
  const statuses: number[] = [];
  for (let nth = 1; nth <= 8; nth += 1) statuses.push((await uploadText(sandbox)).status);
  expect(statuses).toEqual([200, 200, 500, 200, 500, 200, 200, 200]);
  expect(sandbox.faults()).toMatchObject([{ seen: 8, struck: 2 }]);
});

test('the same seed strikes the same requests, another seed others', async () => {
  const patternOf = async (seed: number): Promise<string> => {
    const sandbox = await sandboxForTest({
      seed,
      faults: [{ api: 'autoglm', action: '500', probability: 0.5 }],
    });
    let pattern = '';
    for (let nth = 1; nth <= 24; nth += 1) pattern += (await uploadText(sandbox)).status === 500 ? 'x' : '.';
    return pattern;
  };
  const first = await patternOf(7);
  expect(first).toMatch(/x.*\.|\..*x/);
  expect(await patternOf(7)).toBe(first);
  expect(await patternOf(8)).not.toBe(first);
});

test('a fault can follow one file name', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'autoglm', action: 'code', code: 400001, filename: 'poison.txt' }],
  });
  expect(codeOf(await uploadText(sandbox, { filename: 'poison.txt' }))).toBe(400001);
  expect(codeOf(await uploadText(sandbox, { filename: 'fine.txt' }))).toBe(0);
});

test('faults are set, listed and cleared over HTTP, and a wrong one is refused by name', async () => {
  const sandbox = await sandboxForTest();
  const url = `${sandbox.origin}/_faults`;
  const post = (body: unknown) => fetch(url, { method: 'POST', body: JSON.stringify(body) });
  expect((await post({ api: 'autoglm', action: '503' })).status).toBe(200);
  expect((await post([{ api: 'token', action: 'hang', times: 1 }])).status).toBe(200);
  expect(await (await fetch(url)).json()).toMatchObject([
    { action: '503', seen: 0 },
    { action: 'hang', times: 1 },
  ]);
  expect((await uploadText(sandbox, { tokenUrl: 'data:,Bearer%20x' })).status).toBe(503);

  const wrong = await post({ api: 'autoglm', action: '500', evry: 2 });
  expect(wrong.status).toBe(400);
  expect(await wrong.text()).toContain('evry');
  expect((await fetch(url, { method: 'DELETE' })).status).toBe(200);
  expect(codeOf(await uploadText(sandbox))).toBe(0);
});

test('wrong options are refused, all at once and by name', async () => {
  const options = { seed: 0.5, faults: [{ api: 'nobody', action: '500' }] };
  await expect(sandboxForTest(options as never)).rejects.toThrow(/seed.*api|api.*seed/);
});

test('a port in use is said in one line', async () => {
  const { origin } = await sandboxForTest();
  await expect(sandboxForTest({ ports: { api: Number(new URL(origin).port) } })).rejects.toMatchObject({
    code: 'port_unavailable',
  });
});
