/** The readers of archives on bytes that none of their libraries wrote. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import type { ArchiveEntry } from '../../../src/intake/archives/archive-entry.ts';
import { tarEntries } from '../../../src/intake/archives/tar-entries.ts';
import { zipEntries } from '../../../src/intake/archives/zip-entries.ts';
import { TAR_TIME, tarBytes } from '../../support/tar-bytes.ts';
import { ZIP_TIME, zipBytes } from '../../support/zip-bytes.ts';

function fileOf(bytes: Buffer, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-archive-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
}

interface Read {
  readonly name: string;
  readonly content: string;
  readonly entry: ArchiveEntry;
}

async function contentOf(entry: ArchiveEntry): Promise<string> {
  if (entry.kind === 'refused') return `refused: ${entry.refusal.code}`;
  if (entry.kind === 'left_out') return entry.reason;
  const chunks: Buffer[] = [];
  for await (const chunk of await entry.open()) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

/** What was read of it, and what ended it early. */
async function readAll(
  entries: AsyncGenerator<ArchiveEntry>,
  takes: (entry: ArchiveEntry) => boolean = () => true,
): Promise<{ read: Read[]; error: string | null }> {
  const read: Read[] = [];
  try {
    for await (const entry of entries) {
      const content = takes(entry) ? await contentOf(entry) : '';
      read.push({ name: entry.name.path, content, entry });
    }
    return { read, error: null };
  } catch (error) {
    return { read, error: (error as Error).message };
  }
}

const namesAndContents = (read: readonly Read[]): string[][] =>
  read.map(({ name, content }) => [name, content]);

test('a zip: stored and deflated, folders left out, times as the archive says', async () => {
  const path = fileOf(
    zipBytes([
      { name: 'd/', content: '' },
      { name: 'd/a.txt', content: 'deflated '.repeat(100) },
      { name: 'b.txt', content: 'stored', stored: true },
      { name: 'empty', content: '', stored: true },
    ]),
    'a.zip',
  );
  const { read, error } = await readAll(zipEntries(path));
  expect(error).toBeNull();
  expect(namesAndContents(read)).toEqual([
    ['d/a.txt', 'deflated '.repeat(100)],
    ['b.txt', 'stored'],
    ['empty', ''],
  ]);
  expect(read[1]?.entry).toMatchObject({ size: 6, mtimeNs: `${Date.parse(ZIP_TIME) / 1000}000000000` });
});

test('a zip64 is read like any other', async () => {
  const path = fileOf(
    zipBytes(
      [
        { name: 'a.txt', content: 'first', zip64: true },
        { name: 'b.txt', content: 'second', zip64: true },
      ],
      { zip64: true },
    ),
    'a.zip',
  );
  expect(namesAndContents((await readAll(zipEntries(path))).read)).toEqual([
    ['a.txt', 'first'],
    ['b.txt', 'second'],
  ]);
});

test('names: UTF-8 where the flag says so, cp437 where it does not, exact bytes where neither fits', async () => {
  const path = fileOf(
    zipBytes([
      { name: 'grün/日.txt', content: '1' },
      { name: Buffer.from([0x47, 0x72, 0x81, 0x6e, 0xe1, 0x65]), content: '2' },
    ]),
    'a.zip',
  );
  expect(namesAndContents((await readAll(zipEntries(path))).read)).toEqual([
    ['grün/日.txt', '1'],
    ['Grünße', '2'],
  ]);
});

test('one entry that cannot be taken says why, and the others are read', async () => {
  const bomb = Buffer.alloc(20 * 1024 * 1024);
  const path = fileOf(
    zipBytes([
      { name: '../up', content: 'x' },
      { name: '/abs', content: 'x' },
      { name: 'back\\slash', content: 'x' },
      { name: 'link', content: 'target', mode: 0o120777 },
      { name: 'pipe', content: '', mode: 0o010644 },
      { name: 'locked', content: 'x', encrypted: true },
      { name: 'odd', content: 'x', method: 12 },
      { name: 'bomb', content: bomb.subarray(0, 11 * 1024 * 1024), says: { size: 2 ** 31 } },
      { name: 'fine', content: 'fine' },
    ]),
    'a.zip',
  );
  const { read, error } = await readAll(zipEntries(path));
  expect(error).toBeNull();
  expect(namesAndContents(read)).toEqual([
    ['%2E%2E/up', 'refused: archive_entry_refused'],
    ['%2Fabs', 'refused: archive_entry_refused'],
    ['back%5Cslash', 'refused: archive_entry_refused'],
    ['link', 'refused: archive_entry_refused'],
    ['pipe', 'refused: archive_entry_refused'],
    ['locked', 'refused: archive_entry_encrypted'],
    ['odd', 'refused: archive_entry_method'],
    ['bomb', 'refused: archive_bomb'],
    ['fine', 'fine'],
  ]);
});

test('what is no zip, or was cut off, is an error of the whole', async () => {
  const whole = zipBytes([{ name: 'a', content: 'a' }]);
  for (const bytes of [Buffer.from('not a zip'), Buffer.alloc(0), whole.subarray(0, -10)])
    expect(await readAll(zipEntries(fileOf(bytes, 'a.zip')))).toEqual({
      read: [],
      error: expect.any(String),
    });
});

test('a tar, plain and in gzip: long names, names that are not UTF-8, folders left out', async () => {
  const long = `${'long/'.repeat(40)}名前.txt`;
  const bytes = tarBytes([
    { name: 'd/', type: '5' },
    { name: 'd/a.txt', content: 'a'.repeat(1000) },
    { name: long, content: 'long', pax: true },
    { name: Buffer.from('d/\xe9.txt', 'latin1'), content: 'latin' },
    { name: 'grün.txt', content: 'utf8' },
    { name: 'empty' },
  ]);
  for (const [path, kind] of [
    [fileOf(bytes, 'a.tar'), 'tar'],
    [fileOf(gzipSync(bytes), 'a.tgz'), 'tar.gz'],
    [fileOf(zstdCompressSync(bytes), 'a.tzst'), 'tar.zst'],
  ] as const) {
    const { read, error } = await readAll(tarEntries(path, kind));
    expect(error).toBeNull();
    expect(namesAndContents(read)).toEqual([
      ['d/a.txt', 'a'.repeat(1000)],
      [long, 'long'],
      ['d/\uFFFD.txt', 'latin'],
      ['grün.txt', 'utf8'],
      ['empty', ''],
    ]);
    expect(read[2]?.entry.name.pathBytes).toBe(Buffer.from('d/\xe9.txt', 'latin1').toString('base64'));
    expect(read[0]?.entry).toMatchObject({ mtimeNs: `${Date.parse(TAR_TIME) / 1000}000000000` });
  }
});

test('links, devices and names that lead out of a tar are refused; what is not opened is passed over', async () => {
  const bytes = tarBytes([
    { name: 'sym', type: '2', link: '/etc/passwd' },
    { name: 'hard', type: '1', link: 'a' },
    { name: 'dev', type: '3' },
    { name: '../up', content: 'x'.repeat(5000) },
    { name: 'passed-over', content: 'y'.repeat(100_000) },
    { name: 'read', content: 'read' },
  ]);
  const path = fileOf(bytes, 'a.tar');
  const { read, error } = await readAll(tarEntries(path, 'tar'), ({ name }) => name.path !== 'passed-over');
  expect(error).toBeNull();
  expect(namesAndContents(read)).toEqual([
    ['sym', 'refused: archive_entry_refused'],
    ['dev', 'refused: archive_entry_refused'],
    ['%2E%2E/up', 'refused: archive_entry_refused'],
    ['passed-over', ''],
    ['read', 'read'],
    ['hard', 'refused: archive_entry_refused'],
  ]);
});

test('a reader that gives up an entry half-way still gets the next ones', async () => {
  const path = fileOf(
    tarBytes([
      { name: 'large', content: Buffer.alloc(3_000_000, 1) },
      { name: 'after', content: 'after' },
    ]),
    'a.tar',
  );
  const names: string[] = [];
  for await (const entry of tarEntries(path, 'tar')) {
    names.push(entry.name.path);
    if (entry.kind !== 'file') continue;
    for await (const chunk of await entry.open()) if (chunk.length > 0) break;
  }
  expect(names).toEqual(['large', 'after']);
});

test('a tar that is cut off or damaged gives what it holds until there, then an error', async () => {
  const bytes = tarBytes([
    { name: 'whole', content: 'whole' },
    { name: 'cut', content: 'c'.repeat(5000) },
  ]);
  const cut = await readAll(tarEntries(fileOf(bytes.subarray(0, 2500), 'a.tar'), 'tar'));
  expect(cut.read[0]).toMatchObject({ name: 'whole', content: 'whole' });
  expect(cut.error).not.toBeNull();
  const damaged = gzipSync(bytes);
  damaged[damaged.length - 3] = (damaged.at(-3) ?? 0) ^ 0xff;
  damaged[damaged.length - 6] = (damaged.at(-6) ?? 0) ^ 0xff;
  expect((await readAll(tarEntries(fileOf(damaged, 'a.tgz'), 'tar.gz'))).error).not.toBeNull();
  expect((await readAll(tarEntries(fileOf(Buffer.from('no gzip'), 'a.tgz'), 'tar.gz'))).error).not.toBeNull();
  expect((await readAll(tarEntries(fileOf(Buffer.alloc(2000, 7), 'a.tar'), 'tar'))).error).not.toBeNull();
});

test('a gzip bomb is given up before it fills anything', async () => {
  const content = Buffer.alloc(64 * 1024 * 1024);
  const path = fileOf(gzipSync(tarBytes([{ name: 'zeros', content }]), { level: 9 }), 'a.tgz');
  const { error } = await readAll(tarEntries(path, 'tar.gz'));
  expect(error).toMatch(/times as much: a compression bomb/);
});
