import { expect, test } from 'vitest';
import { listText } from '../../../src/operations/ingest/list-text.ts';

const NAMES = 'a.txt\r\n深い/b.txt\n';

/** What is kept of a list that arrives in pieces of so many bytes. */
async function kept(bytes: Buffer, piece: number, nul = false): Promise<string> {
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
  }
  const chunks: Buffer[] = [];
  for await (const chunk of listText(pieces(), nul)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

const bigEndian = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

test.each<[string, Buffer]>([
  ['plain', Buffer.from(NAMES)],
  ['a UTF-8 mark', Buffer.from(`\ufeff${NAMES}`)],
  ['UTF-16 of Windows', Buffer.from(`\ufeff${NAMES}`, 'utf16le')],
  ['UTF-16, big end first', bigEndian(`\ufeff${NAMES}`)],
])('a list with %s names the same files, in whatever pieces it comes', async (_, bytes) => {
  for (const piece of [1, 2, 3, 5, 1_000]) expect(await kept(bytes, piece)).toBe(NAMES);
});

test('names separated by NUL are a mistake without -0, and taken with it', async () => {
  const list = Buffer.from('a.txt\0b.txt\0');
  await expect(kept(list, 1_000)).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining('-0'),
  });
  expect(await kept(list, 3, true)).toBe('a.txt\0b.txt\0');
});

test('an empty list stays empty, and bytes that are not UTF-8 stay as they are', async () => {
  expect(await kept(Buffer.alloc(0), 1)).toBe('');
  const bytes = Buffer.from([0x61, 0xff, 0x0a]);
  const chunks: Buffer[] = [];
  async function* one(): AsyncGenerator<Buffer> {
    yield bytes;
  }
  for await (const chunk of listText(one(), false)) chunks.push(chunk);
  expect(Buffer.concat(chunks)).toEqual(bytes);
});
