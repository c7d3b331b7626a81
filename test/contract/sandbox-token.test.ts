import { expect, test } from 'vitest';
import { scriptToken } from '../support/original-script.ts';
import { sandboxForTest, uploadText } from '../support/sandbox.ts';

const codeOf = ({ body }: { body: string }): number => JSON.parse(body).code;
const claimsOf = (bearer: string) =>
  JSON.parse(Buffer.from(bearer.split('.')[1] ?? '', 'base64url').toString());

test('the token service answers with `Bearer ` and a 24 h HS256 JWT as text', async () => {
  const sandbox = await sandboxForTest();
  const answer = await fetch(sandbox.tokenUrl);
  const text = await answer.text();
  expect(answer.headers.get('content-type')).toContain('text/plain');
  expect(text).toMatch(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
  const { iat, exp } = claimsOf(text);
  expect(exp - iat).toBe(24 * 60 * 60);
  expect(JSON.parse(Buffer.from(text.slice(7).split('.')[0] ?? '', 'base64url').toString())).toEqual({
    alg: 'HS256',
    typ: 'JWT',
  });
  expect((await fetch(sandbox.tokenUrl, { method: 'POST' })).status).toBe(405);
});

test.each([
  [{ form: 'bare' }, (text: string) => text],
  [{ form: 'bearer', padded: true }, (text: string) => text.trim().slice(7)],
  [{ form: 'json-string' }, (text: string) => JSON.parse(text)],
  [{ form: 'object', key: 'access_token' }, (text: string) => JSON.parse(text).access_token],
  [{ form: 'nested-object', key: 'bearer_token' }, (text: string) => JSON.parse(text).data.bearer_token],
] as const)('the form %o carries a token that works', async (form, read) => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action: 'token', ...form }] });
  const token = read(await (await fetch(sandbox.tokenUrl)).text());
  expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  const headers = (lines: string[]) =>
    lines.map((line) => (line.startsWith('Authorization') ? `Authorization: Bearer ${token}` : line));
  expect(codeOf(await uploadText(sandbox, { headers }))).toBe(0);
});

test('a short-lived token is refused once its time is over', async () => {
  let nowMs = Date.now();
  const sandbox = await sandboxForTest({
    now: () => nowMs,
    faults: [{ api: 'token', action: 'token', lifetimeSeconds: 5, times: 1 }],
  });
  const token = await scriptToken(sandbox.tokenUrl);
  const headers = (lines: string[]) =>
    lines.map((line) => (line.startsWith('Authorization') ? `Authorization: ${token}` : line));
  const timestamp = Math.floor(nowMs / 1_000);
  expect(codeOf(await uploadText(sandbox, { headers, timestamp }))).toBe(0);
  nowMs += 6_000;
  expect(codeOf(await uploadText(sandbox, { headers, timestamp }))).toBe(400000);
  expect(codeOf(await uploadText(sandbox, { timestamp }))).toBe(0);
});

test('a token for three uses dies at the fourth, and a new one lives', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action: 'token', uses: 3 }] });
  const token = await scriptToken(sandbox.tokenUrl);
  const headers = (lines: string[]) =>
    lines.map((line) => (line.startsWith('Authorization') ? `Authorization: ${token}` : line));
  const codes: number[] = [];
  for (let nth = 1; nth <= 5; nth += 1) codes.push(codeOf(await uploadText(sandbox, { headers })));
  expect(codes).toEqual([0, 0, 0, 400000, 400000]);
  expect(codeOf(await uploadText(sandbox))).toBe(0);
});

test('revoking kills the tokens issued so far, not later ones', async () => {
  const sandbox = await sandboxForTest();
  const old = await scriptToken(sandbox.tokenUrl);
  await fetch(`${sandbox.origin}/_tokens`, { method: 'DELETE' });
  const headers = (lines: string[]) =>
    lines.map((line) => (line.startsWith('Authorization') ? `Authorization: ${old}` : line));
  expect(codeOf(await uploadText(sandbox, { headers }))).toBe(400000);
  expect(codeOf(await uploadText(sandbox))).toBe(0);
});

test('a token changed by one character is refused', async () => {
  const sandbox = await sandboxForTest();
  const headers = (lines: string[]) =>
    lines.map((line) =>
      line.startsWith('Authorization')
        ? line.replace(/\.(.)/, (_dot, first: string) => `.${first === 'e' ? 'f' : 'e'}`)
        : line,
    );
  expect(codeOf(await uploadText(sandbox, { headers }))).toBe(400000);
});

test.each([
  ['500', 500],
  ['401', 401],
  ['empty', 200],
  ['html', 200],
] as const)('the token service can fail with %s', async (action, status) => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action, times: 1 }] });
  const answer = await fetch(sandbox.tokenUrl);
  expect(answer.status).toBe(status);
  const text = await answer.text();
  expect(text.includes('.ey')).toBe(false);
  if (action === 'empty') expect(text).toBe('');
  expect(await scriptToken(sandbox.tokenUrl)).toMatch(/^Bearer /);
});

test('the token service can hang, and closing the sandbox ends it', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action: 'hang' }] });
  const hanging = fetch(sandbox.tokenUrl);
  const failed = expect(hanging).rejects.toThrow();
  await expect.poll(() => sandbox.summary().faults).toEqual({ hang: 1 });
  await sandbox.close();
  await failed;
});

test('a token can carry characters that no header may', async () => {
  const sandbox = await sandboxForTest({ faults: [{ api: 'token', action: 'token', unprintable: true }] });
  expect(await (await fetch(sandbox.tokenUrl)).text()).toContain('\u0007');
});
