import { expect, test } from 'vitest';
import { type FormPartInput, formOf } from '../support/form-bytes.ts';
import { sandboxForTest } from '../support/sandbox.ts';

const file: FormPartInput = { name: 'file', filename: 'a.txt', content: 'hello' };

async function post(
  url: string,
  parts: readonly FormPartInput[],
  init: RequestInit = {},
): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(url, { method: 'POST', body: formOf(parts), ...init });
  return { status: answer.status, body: await answer.json() };
}

test('both documented paths take a file and answer with {code,msg,data}', async () => {
  const sandbox = await sandboxForTest();
  for (const url of [sandbox.vectorxUrl, `${sandbox.origin}/upload-openai-file`]) {
    expect(await post(url, [file])).toEqual({
      status: 200,
      body: {
        code: 0,
        msg: 'success',
        data: {
          id: expect.stringMatching(/^file-fe-/),
          object: 'file',
          bytes: 5,
          created_at: expect.any(Number),
          filename: 'a.txt',
          purpose: 'file-extract',
          status: 'processed',
          status_details: null,
        },
      },
    });
  }
  expect(sandbox.received()).toMatchObject([
    { api: 'vectorx', fields: { purpose: 'file-extract' } },
    { attempt: 2 },
  ]);
});

test('the name that comes back is the cleaned one, the one received is as sent', async () => {
  const sandbox = await sandboxForTest();
  const { body } = await post(sandbox.vectorxUrl, [{ ...file, filename: '报告 (终).txt' }]);
  expect(body).toMatchObject({ data: { filename: '报告__终_.txt' } });
  expect(sandbox.received()).toMatchObject([{ filename: '报告 (终).txt' }]);
});

test.each<[string, FormPartInput[], number]>([
  ['a type the service behind it refuses', [{ ...file, filename: 'a.exe' }], 400],
  ['an unknown purpose', [file, { name: 'purpose', value: 'vision' }], 400],
  ['no file', [{ name: 'purpose', value: 'file-extract' }], -1],
  ['an unknown field', [file, { name: 'user', value: 'x' }], -1],
])('%s is told by code inside an HTTP 200', async (_what, parts, code) => {
  const sandbox = await sandboxForTest();
  expect(await post(sandbox.vectorxUrl, parts)).toMatchObject({
    status: 200,
    body: { code, msg: expect.stringMatching(/.+/) },
  });
  expect(sandbox.summary().count).toBe(0);
});

test('the fourth upload in a second is code 429 with the body of the service behind it', async () => {
  const nowMs = Date.now();
  const sandbox = await sandboxForTest({ now: () => nowMs });
  const answers = [];
  for (let nth = 1; nth <= 4; nth += 1) answers.push(await post(sandbox.vectorxUrl, [file]));
  expect(answers[3]).toMatchObject({
    status: 200,
    body: { code: 429, data: { error: { code: 'Throttling.RateQuota' } } },
  });
});

test('a key is needed only where one is set, but a malformed one is never taken', async () => {
  const open = await sandboxForTest();
  expect(await post(open.vectorxUrl, [file], { headers: { Authorization: 'Basic eA==' } })).toMatchObject({
    body: { code: 401 },
  });
  const closed = await sandboxForTest({ apiKey: 'secret' });
  expect(await post(closed.vectorxUrl, [file])).toMatchObject({ body: { code: 401 } });
  expect(
    await post(closed.vectorxUrl, [file], { headers: { Authorization: 'Bearer secret' } }),
  ).toMatchObject({ body: { code: 0 } });
});

test('another agent path is 404', async () => {
  const { origin } = await sandboxForTest();
  expect((await fetch(`${origin}/v1/aiagent/agents//upload-openai-file`, { method: 'POST' })).status).toBe(
    404,
  );
});
