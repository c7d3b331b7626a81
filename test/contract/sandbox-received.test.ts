import { expect, test } from 'vitest';
import type { ReceivedFile } from '../../src/sandbox/form/received-file.ts';
import { scriptSign, scriptToken } from '../support/original-script.ts';
import { sandboxForTest, uploadText } from '../support/sandbox.ts';

interface Listing {
  readonly count: number;
  readonly files?: readonly ReceivedFile[];
}

const received = async (origin: string, query = ''): Promise<Listing> =>
  (await (await fetch(`${origin}/_received${query}`)).json()) as Listing;

test('what arrived is listed over HTTP without the secrets it came with', async () => {
  const sandbox = await sandboxForTest();
  const timestamp = Math.floor(Date.now() / 1_000);
  const token = await scriptToken(sandbox.tokenUrl);
  const headers = (lines: string[]) =>
    lines.map((line) => (line.startsWith('Authorization') ? `Authorization: ${token}` : line));
  await uploadText(sandbox, { timestamp, headers });
  const text = await (await fetch(`${sandbox.origin}/_received`)).text();
  expect(text).not.toContain(token.slice(7));
  expect(text).not.toContain(scriptSign(timestamp));
  expect(JSON.parse(text)).toMatchObject({
    count: 1,
    bytes: 12,
    files: [
      {
        seq: 1,
        filename: 'note.txt',
        attempt: 1,
        headers: {
          authorization: 'Bearer',
          'x-auth-appid': '100003',
          'x-auth-timestamp': String(timestamp),
          'x-auth-sign': 'present',
          'user-agent': 'Python-urllib/3.12',
        },
      },
    ],
  });
});

test('the same content again is counted as a further attempt, another content is not', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'autoglm', action: 'reset-after-body', times: 1 }],
  });
  await expect(uploadText(sandbox)).rejects.toThrow();
  await uploadText(sandbox);
  await uploadText(sandbox);
  await uploadText(sandbox, { content: Buffer.from('other') });
  expect(sandbox.received().map((file) => file.attempt)).toEqual([2, 3, 1]);
  expect(sandbox.summary()).toMatchObject({ count: 3, repeated: 1 });
});

test('since gives only what is new, by number or by time; summary gives counts alone', async () => {
  let nowMs = Date.now();
  const sandbox = await sandboxForTest({ now: () => nowMs });
  await uploadText(sandbox);
  nowMs += 1_000;
  await uploadText(sandbox);
  expect((await received(sandbox.origin, '?since=1')).files).toMatchObject([{ seq: 2 }]);
  expect((await received(sandbox.origin, `?since=${new Date(nowMs).toISOString()}`)).files).toMatchObject([
    { seq: 2 },
  ]);
  const summary = await received(sandbox.origin, '?summary=1');
  expect(summary).toMatchObject({ count: 2, bytes: 24, byApi: { autoglm: { count: 2, bytes: 24 } } });
  expect(summary.files).toBeUndefined();
});

test('beyond the cap the oldest are forgotten and the counts stay exact', async () => {
  const sandbox = await sandboxForTest({ maxFiles: 3 });
  for (let nth = 1; nth <= 5; nth += 1) await uploadText(sandbox, { content: Buffer.from(`content ${nth}`) });
  expect(sandbox.received().map((file) => file.seq)).toEqual([3, 4, 5]);
  expect(await received(sandbox.origin)).toMatchObject({ count: 5, bytes: 45 });
});

test('a listing longer than one write is complete JSON', async () => {
  const sandbox = await sandboxForTest();
  const upload = () => uploadText(sandbox);
  for (let round = 0; round < 11; round += 1) await Promise.all(Array.from({ length: 50 }, upload));
  const { count, files } = await received(sandbox.origin);
  expect(count).toBe(550);
  expect(files?.map((file) => file.seq)).toEqual(Array.from({ length: 550 }, (_, index) => index + 1));
});

test('reset forgets files, counts and attempts', async () => {
  const sandbox = await sandboxForTest();
  await uploadText(sandbox);
  await fetch(`${sandbox.origin}/_received`, { method: 'DELETE' });
  expect(sandbox.summary()).toMatchObject({ count: 0, bytes: 0, requests: 0 });
  await uploadText(sandbox);
  expect(sandbox.received()).toMatchObject([{ attempt: 1 }]);
});

test('it describes every endpoint it has', async () => {
  const sandbox = await sandboxForTest();
  const { tokenUrl, autoglmUrl, vectorxUrl, dashscopeBase, openaiBase } = sandbox;
  for (const url of [tokenUrl, autoglmUrl, vectorxUrl, dashscopeBase, openaiBase])
    expect(sandbox.describe()).toContain(url);
});
