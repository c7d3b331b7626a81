/** Zips that other tools read and a reader by the letter does not: by bytes, where no tool here makes them. */
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ArchiveEntry } from '../../../src/intake/archives/archive-entry.ts';
import { formatOf } from '../../../src/intake/archives/archive-kind.ts';
import { type ZipOptions, zipEntries } from '../../../src/intake/archives/zip-entries.ts';
import { zipBytes } from '../../support/zip-bytes.ts';

function folderForTest(): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-zips-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function fileOf(bytes: Buffer): string {
  const path = join(folderForTest(), 'a.zip');
  writeFileSync(path, bytes);
  return path;
}

const wild = (name: string): string => join(import.meta.dirname, '../../fixtures/archives', name);

async function wordOf(entry: ArchiveEntry): Promise<string> {
  if (entry.kind === 'left_out') return entry.reason;
  if (entry.kind === 'refused')
    return `${entry.refusal.code} ${Object.values(entry.refusal.details).join(' ')}`;
  const chunks: Buffer[] = [];
  for await (const chunk of await entry.open()) chunks.push(Buffer.from(chunk));
  const content = Buffer.concat(chunks);
  return content.length < 100 ? content.toString() : createHash('sha256').update(content).digest('hex');
}

async function read(path: string, options: ZipOptions = {}): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const entry of zipEntries(path, options)) found.push([entry.name.path, await wordOf(entry)]);
  return found;
}

test.each([
  [
    'backslash-paths.zip',
    [
      ['docs/a.txt', 'hello'],
      ['docs/sub/b.txt', 'world'],
    ],
  ],
  [
    'line-feed-after.zip',
    [
      ['a.txt', 'a'],
      ['b.txt', 'b'],
    ],
  ],
  [
    'script-before.zip',
    [
      ['a.txt', 'a'],
      ['b.txt', 'b'],
    ],
  ],
  ['signature-in-comment.zip', [['a.txt', 'a']]],
  [
    'one-name-twice.zip',
    [
      ['a.txt', 'replaced'],
      ['a.txt', 'second'],
    ],
  ],
  [
    'shift-jis.zip',
    [
      ['ソース一覧.txt', 'sjis'],
      ['表.txt', 'hyou'],
    ],
  ],
  [
    'utf8-without-flag.zip',
    [
      ['中文报告.pdf', 'aaa'],
      ['Résumé.txt', 'bbb'],
      ['__MACOSX/._Résumé.txt', 'x'],
    ],
  ],
  [
    'data-in-folder-entry.zip',
    [
      ['folder', expect.stringMatching(/^archive_entry_refused its name ends with a slash/)],
      ['a.txt', 'a'],
    ],
  ],
])('%s', async (name, expected) => {
  expect(await formatOf(wild(name))).toEqual({ kind: 'zip' });
  expect(await read(wild(name))).toEqual(expected);
});

test('an entry count of 16 bits that has wrapped counts nothing: the directory does', async () => {
  const count = 65_546;
  const files = Array.from({ length: count }, (_, index) => ({
    name: `${index}.txt`,
    content: '',
    stored: true,
  }));
  const path = fileOf(zipBytes(files, { wraps: true }));
  let found = 0;
  for await (const entry of zipEntries(path)) found += entry.kind === 'file' ? 1 : 0;
  expect(found).toBe(count);
});

test('a directory with fewer entries than its end says gives those, then an error', async () => {
  const bytes = zipBytes([
    { name: 'a.txt', content: 'a' },
    { name: 'b.txt', content: 'b' },
  ]);
  bytes.writeUInt16LE(3, bytes.length - 12);
  const found: string[] = [];
  const reading = (async () => {
    for await (const { name } of zipEntries(fileOf(bytes))) found.push(name.path);
  })();
  await expect(reading).rejects.toThrow('its end says 3 entries, its directory holds 2');
  expect(found).toEqual(['a.txt', 'b.txt']);
});

/** Stored zeros of so many bytes as a hole, each behind its header, as the Mac's Archive Utility would lay them out. */
function zipWithHoles(sizes: readonly number[], last: string): string {
  const path = join(folderForTest(), 'holes.zip');
  const descriptor = openSync(path, 'w');
  const headers: Buffer[] = [];
  let position = 0;
  const entry = (name: string, size: number, content: Buffer): void => {
    const one = zipBytes([
      { name, content, stored: true, says: { size: size % 2 ** 32, offset: position % 2 ** 32 } },
    ]);
    const local = one.subarray(0, 30 + name.length);
    local.writeUInt32LE(size % 2 ** 32, 18);
    const directory = one.subarray(local.length + content.length, -22);
    directory.writeUInt32LE(size % 2 ** 32, 20);
    writeSync(descriptor, Buffer.concat([local, content]), 0, local.length + content.length, position);
    headers.push(Buffer.from(directory));
    position += local.length + size;
  };
  for (const [index, size] of sizes.entries()) entry(`hole-${index}`, size, Buffer.alloc(0));
  entry('last.txt', last.length, Buffer.from(last));
  const directory = Buffer.concat(headers);
  const end = Buffer.from(zipBytes([]));
  end.writeUInt16LE(headers.length, 8);
  end.writeUInt16LE(headers.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(position % 2 ** 32, 16);
  writeSync(descriptor, Buffer.concat([directory, end]), 0, directory.length + end.length, position);
  ftruncateSync(descriptor, position + directory.length + end.length);
  closeSync(descriptor);
  return path;
}

const GIB = 1024 ** 3;

test('offsets of 32 bits that have wrapped lead to the entries all the same; a size that has is said', async () => {
  const found: [string, number, string][] = [];
  for await (const entry of zipEntries(zipWithHoles([3 * GIB, 2 * GIB, 5 * GIB, 1 * GIB], 'the last one'))) {
    if (entry.kind === 'left_out') continue;
    found.push([
      entry.name.path,
      entry.size,
      entry.kind === 'file' && entry.size < 100 ? await wordOf(entry) : entry.kind,
    ]);
  }
  expect(found).toEqual([
    ['hole-0', 3 * GIB, 'file'],
    ['hole-1', 2 * GIB, 'file'],
    ['hole-2', 1 * GIB, 'refused'],
    ['hole-3', 1 * GIB, 'file'],
    ['last.txt', 12, 'the last one'],
  ]);
});

test('entries that lie over one another are refused before any is read', async () => {
  const content = Buffer.alloc(3_000_000, 'x');
  const kernel = { name: 'kernel', content, stored: true };
  const others = Array.from({ length: 1_000 }, (_, index) => ({
    ...{ name: `copy-${index}`, content: '', stored: true },
    says: { size: content.length, offset: 0 },
  }));
  const bytes = zipBytes([kernel, ...others]);
  // Each header of the directory says that its bytes are the first one's.
  const directory = bytes.readUInt32LE(bytes.length - 6);
  for (let at = directory; bytes.readUInt32LE(at) === 0x02014b50; ) {
    bytes.writeUInt32LE(content.length, at + 20);
    at += 46 + bytes.readUInt16LE(at + 28);
  }
  await expect(read(fileOf(bytes))).rejects.toThrow('its entries 1 and 2 lie over one another');
});

test('methods are named as what they are; what Node unpacks is read', async () => {
  const odd = [9, 12, 14, 95, 98, 99, 1234].map((method) => ({ name: `${method}`, content: 'x', method }));
  expect((await read(fileOf(zipBytes(odd)))).map(([, word]) => word)).toEqual([
    'archive_entry_method Deflate64 (method 9)',
    'archive_entry_method bzip2 (method 12)',
    'archive_entry_method LZMA (method 14)',
    'archive_entry_method xz (method 95)',
    'archive_entry_method PPMd (method 98)',
    'archive_entry_method AES encryption (method 99)',
    'archive_entry_method an unknown method (method 1234)',
  ]);
});

test('names: asked for, they are read so; made by DOS without a slash, a backslash is one', async () => {
  const sjis = Buffer.from('95 5c 2e 74 78 74'.replaceAll(' ', ''), 'hex');
  const files = [
    { name: sjis, content: '1' },
    { name: 'a\\b.txt', content: '2', system: 0 },
    { name: 'a\\b/c.txt', content: '3', system: 0 },
    { name: 'a\\d.txt', content: '4' },
  ];
  const names = async (options: ZipOptions) =>
    (await read(fileOf(zipBytes(files)), options)).map(([name]) => name);
  expect(await names({ names: 'shift_jis' })).toEqual(['表.txt', 'a/b.txt', 'a%5Cb/c.txt', 'a%5Cd.txt']);
  expect((await names({ names: 'cp437' }))[0]).toBe('ò%5C.txt');
  const guesses: string[] = [];
  await read(fileOf(zipBytes(files)), {
    guessed: ({ names: guess, example }) => guesses.push(`${guess} ${example}`),
  });
  expect(guesses).toEqual(['shift_jis 表.txt']);
});

test('what another tool has to unpack first is named by its first bytes, whatever it is called', async () => {
  const format = async (bytes: Buffer) => await formatOf(fileOf(bytes));
  const named = (text: string) => Buffer.concat([Buffer.from(text, 'latin1'), Buffer.alloc(100, 1)]);
  expect(await format(named('7z\xbc\xaf\x27\x1c'))).toMatchObject({
    kind: 'foreign',
    format: 'a 7z archive',
  });
  expect(await format(named('\xfd7zXZ\0'))).toMatchObject({ kind: 'foreign', format: 'compressed by xz' });
  expect(await format(named('BZh9'))).toMatchObject({ kind: 'foreign', format: 'compressed by bzip2' });
  expect(await format(named('\x1f\x8b\x08'))).toEqual({ kind: 'tar.gz' });
  expect(await format(named('\x28\xb5\x2f\xfd'))).toEqual({ kind: 'tar.zst' });
  expect(await format(named('nothing at all'))).toEqual({ kind: 'unknown' });
  expect(await format(Buffer.alloc(0))).toEqual({ kind: 'unknown' });
});
