/** Tars that other tools read and a reader by the letter does not; and those that nobody can read to their end. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import type { FileEntry, RefusedEntry } from '../../../src/intake/archives/archive-entry.ts';
import { type TarKind, tarEntries } from '../../../src/intake/archives/tar-entries.ts';
import { tarBytes } from '../../support/tar-bytes.ts';

const wild = (name: string): string => join(import.meta.dirname, '../../fixtures/archives', name);

function fileOf(bytes: Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-tars-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'a.tar'), bytes);
  return join(folder, 'a.tar');
}

async function wordOf(entry: FileEntry | RefusedEntry): Promise<string> {
  if (entry.kind === 'refused') return Object.values(entry.refusal.details).join(' ');
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of await entry.open()) chunks.push(Buffer.from(chunk));
  } catch (error) {
    return `broken: ${(error as Error).message}`;
  }
  const content = Buffer.concat(chunks);
  if (content.length !== entry.size) return `${content.length} bytes, not ${entry.size}`;
  return content.length < 100 ? content.toString() : createHash('sha256').update(content).digest('hex');
}

/** What it holds, by names as Latin-1 where they are no UTF-8, and what ends it early. */
async function read(path: string, kind: TarKind = 'tar') {
  const found: Record<string, string> = {};
  try {
    for await (const entry of tarEntries(path, kind)) {
      const { path: name, pathBytes } = entry.name;
      found[pathBytes === undefined ? name : Buffer.from(pathBytes, 'base64').toString('latin1')] =
        await wordOf(entry);
    }
    return { found, error: null };
  } catch (error) {
    return { found, error: (error as Error).message };
  }
}

/** As GNU tar unpacks them. */
const SPARSE = {
  's/after.txt': 'after the sparse file\n',
  's/many.img': 'd4b53197b5d4b67944e8346da36c08bcc20d553db6164a4312772c643c9df298',
  's/disk.img': '3a09e18b8ec177ba0ee960158d36b5dd3f9cecf8b26a52c4ce2430994b079188',
};

test.each(['sparse-gnu.tar', 'sparse-pax-0.0.tar', 'sparse-pax-0.1.tar', 'sparse-pax-1.0.tar'])(
  '%s: files with holes are the files that they were',
  async (name) => {
    expect(await read(wild(name))).toEqual({ found: SPARSE, error: null });
  },
);

test('a size of the whole file in the extended header of a sparse one is not what follows', async () => {
  const bytes = readFileSync(wild('sparse-pax-1.0.tar'));
  // The header of `disk.img`: what bsdtar on a Mac writes besides.
  const record = '16 size=1048576\n';
  const headerAt = Math.floor(bytes.indexOf('GNU.sparse.realsize=1048576\n') / 512) * 512 - 512;
  const size = Number.parseInt(bytes.toString('latin1', headerAt + 124, headerAt + 135), 8);
  const changed = Buffer.from(bytes);
  changed.write(record, headerAt + 512 + size);
  changed.write(`${(size + record.length).toString(8).padStart(11, '0')}\0`, headerAt + 124);
  changed.fill(' ', headerAt + 148, headerAt + 156);
  const sum = changed.subarray(headerAt, headerAt + 512).reduce((total, byte) => total + byte, 0);
  changed.write(`${sum.toString(8).padStart(6, '0')}\0 `, headerAt + 148);
  expect(await read(fileOf(changed))).toEqual({ found: SPARSE, error: null });
});

test('names of other encodings, labels and hard links that say a size', async () => {
  expect(await read(wild('pax-latin1-names.tar'))).toEqual({
    found: { 'r\xe9sum\xe9.txt': 'one', 'r\xe8sum\xe8.txt': 'two' },
    error: null,
  });
  expect(await read(wild('volume-label.tar'))).toEqual({
    found: { 's/after.txt': 'after the sparse file\n' },
    error: null,
  });
  expect(await read(wild('hard-link-with-size.tar'))).toEqual({
    found: { 'a.txt': 'hello', 'b.txt': 'hello', 'c.txt': 'third' },
    error: null,
  });
});

test('a tar that ends without its end mark, or goes on behind zeros, gives what it holds and says so', async () => {
  const five = (first: number, last: number): Record<string, string> =>
    Object.fromEntries(
      Array.from({ length: last - first + 1 }, (_, index) => [`f${first + index}.txt`, 'hello']),
    );
  expect(await read(wild('cut-between-entries.tar'))).toEqual({
    found: five(0, 5),
    error: 'it ends at byte 6144 without an end mark: it is cut off there',
  });
  expect(await read(wild('hole-of-zeros.tar'))).toEqual({
    found: { 'f0.txt': 'hello', ...five(3, 9) },
    error: expect.stringContaining('zeros stand in it at byte 3072, and files behind them'),
  });
});

test('what follows a whole gzip, or the end mark, is of no interest', async () => {
  const { found, error } = await read(wild('line-feed-after.tgz'), 'tar.gz');
  expect([Object.keys(found).length, error]).toEqual([40, null]);
  const tar = tarBytes([{ name: 'a', content: 'a' }]);
  for (const after of ['\n', 'x'.repeat(2_000), '\0'.repeat(10)])
    expect(await read(fileOf(Buffer.concat([tar, Buffer.from(after)])))).toEqual({
      found: { a: 'a' },
      error: null,
    });
});

test('every file that is whole before a damage is given, whatever packed the archive', async () => {
  const files = Array.from({ length: 60 }, (_, index) => ({
    name: `${index}`,
    content: randomBytes(2_000).toString('base64'),
  }));
  const tar = tarBytes(files);
  const wholeBefore = (bytes: number): number => Math.floor(bytes / (512 + 3_072));
  for (const [kind, pack] of [
    ['tar.gz', gzipSync],
    ['tar.zst', (bytes: Buffer) => zstdCompressSync(bytes)],
  ] as const) {
    const front = pack(tar.subarray(0, 100_000));
    const damaged = Buffer.concat([front, Buffer.alloc(5_000, 0xaa), pack(tar.subarray(100_000))]);
    const { found, error } = await read(fileOf(damaged), kind);
    expect(error, kind).not.toBeNull();
    const whole = files.slice(0, wholeBefore(100_000));
    expect(
      whole.filter(({ name }) => found[name]?.startsWith('broken') !== false),
      kind,
    ).toEqual([]);
    const cut = await read(fileOf(front), kind);
    expect(Object.keys(cut.found).length, kind).toBeGreaterThanOrEqual(whole.length);
    expect(cut.error, kind).toMatch(/cut off|unexpected end/);
  }
});

test('hard links: to a file, to a link, large and several; to what is not there they are refused', async () => {
  const large = randomBytes(1_500_000);
  const tar = tarBytes([
    { name: 'first', type: '1', link: 'small' },
    { name: './dir/small', content: 'x' },
    { name: 'small', content: 'small one' },
    { name: 'large', content: large },
    { name: 'l1', type: '1', link: './large' },
    { name: 'l2', type: '1', link: 'large' },
    { name: 'l3', type: '1', link: 'l2' },
    { name: 's1', type: '1', link: 'small' },
    { name: 'nowhere', type: '1', link: 'gone' },
    { name: 'sym', type: '2', link: 'small' },
  ]);
  const print = createHash('sha256').update(large).digest('hex');
  const expected = {
    ...{ 'dir/small': 'x', small: 'small one', first: 'small one', s1: 'small one' },
    ...{ large: print, l1: print, l2: print, l3: print },
    nowhere: 'it is a hard link to gone, which is no file of this archive that can be read',
    sym: 'it is a symbolic link',
  };
  expect(await read(fileOf(tar))).toEqual({ found: expected, error: null });
  expect(await read(fileOf(gzipSync(tar)), 'tar.gz')).toEqual({ found: expected, error: null });
});

test('a map of holes that lies breaks its own file and no other', async () => {
  const bytes = readFileSync(wild('sparse-pax-0.1.tar'));
  const at = bytes.indexOf('GNU.sparse.map=') + 'GNU.sparse.map='.length;
  const changed = Buffer.from(bytes);
  // The first length of the first file: longer than what follows.
  const comma = changed.indexOf(',', at);
  changed.write('9', comma + 1);
  const { found, error } = await read(fileOf(changed));
  const words = Object.entries(found).filter(([, word]) => /broken|bytes, not/.test(word));
  expect([words.length <= 1, Object.keys(found).includes('s/after.txt')]).toEqual([true, true]);
  expect(error === null || /map of a sparse file/.test(error)).toBe(true);
});
