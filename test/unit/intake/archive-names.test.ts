import { describe, expect, test } from 'vitest';
import { pathNameOf } from '../../../src/domain/path-bytes.ts';
import { hasArchiveName } from '../../../src/intake/archives/archive-kind.ts';
import {
  bombIn,
  createBombWatch,
  MAX_RATIO,
  RATIO_FREE_BYTES,
} from '../../../src/intake/archives/bomb-limits.ts';
import { archiveOfPath, judgeEntryName, pathInArchive } from '../../../src/intake/archives/entry-name.ts';
import { isTarHeader } from '../../../src/intake/archives/tar-header.ts';
import { tarBytes } from '../../support/tar-bytes.ts';

describe('the name of an entry', () => {
  test.each([
    ['a.txt', 'a.txt'],
    ['dir/a.txt', 'dir/a.txt'],
    ['./dir//a.txt', 'dir/a.txt'],
    ['..a/b..txt', '..a/b..txt'],
    ['日本/語.txt', '日本/語.txt'],
    ['a:b.txt', 'a:b.txt'],
  ])('%s is taken as %s', (raw, path) => {
    expect(judgeEntryName({ path: raw })).toEqual({ kind: 'file', name: { path } });
  });

  test.each(['dir/', './', '', 'a/b/'])('%j is a folder', (raw) => {
    expect(judgeEntryName({ path: raw })).toEqual({ kind: 'folder' });
  });

  test.each([
    ['../a', '..'],
    ['a/../../b', '..'],
    ['a/..', '..'],
    ['../', '..'],
    ['/etc/passwd', 'absolute'],
    ['C:/windows/a', 'absolute'],
    ['a\\b', 'backslash'],
    ['..\\..\\a', 'backslash'],
    ['a\0b', 'NUL'],
    ['x'.repeat(4097), 'longer than'],
  ])('%j is refused: %s', (raw, why) => {
    const verdict = judgeEntryName({ path: raw });
    expect(verdict).toMatchObject({ kind: 'refused', why: expect.stringContaining(why) });
    const name = verdict.kind === 'refused' ? verdict.name.path : raw;
    // Whatever takes it for a path stays where it is.
    expect(name).not.toMatch(/^\/|\\|\0|(^|\/)\.\.(\/|$)/);
    expect(name.length).toBeLessThan(600);
  });

  test('bytes that are not UTF-8 are kept exactly', () => {
    const bytes = Buffer.from('./d/\xe9\xff.txt', 'latin1');
    const verdict = judgeEntryName(pathNameOf(bytes));
    const name = pathNameOf(Buffer.from('d/\xe9\xff.txt', 'latin1'));
    expect(verdict).toEqual({ kind: 'file', name });
    expect(Buffer.from(pathInArchive({ path: 'a.zip' }, name).pathBytes ?? '', 'base64')).toEqual(
      Buffer.from('a.zip!/d/\xe9\xff.txt', 'latin1'),
    );
    expect(pathInArchive({ path: 'a.zip' }, { path: 'b' })).toEqual({ path: 'a.zip!/b' });
  });
});

describe('a bomb', () => {
  test('is what unpacks to more than a thousand times as much, above 10 MiB', () => {
    expect(bombIn(1, RATIO_FREE_BYTES)).toBeNull();
    expect(bombIn(20_000, 20_000 * MAX_RATIO)).toBeNull();
    expect(bombIn(20_000, 20_000 * MAX_RATIO + 1)).toContain('1000 times');
    expect(bombIn(0, RATIO_FREE_BYTES + 1)).not.toBeNull();
  });

  test('may be made of entries that are none by themselves', () => {
    const watch = createBombWatch(50_000);
    const verdicts = Array.from({ length: 8 }, () => watch.entry(9_000_000));
    expect(verdicts.slice(0, 5)).toEqual([null, null, null, null, null]);
    expect(verdicts.at(-1)).toContain('times as much');
  });
});

test('a file is meant as an archive by its name, whatever the case; what is in it is another question', () => {
  const names = ['a.zip', 'A.ZIP', 'a.tar', 'a.tar.gz', 'a.TGZ', 'a.tar.zst', 'a.tar.xz', 'a.7z'];
  expect(names.map(hasArchiveName)).toEqual(names.map(() => true));
  const others = ['a.gz', 'zip', 'a.zip.txt', 'a.docx', 'a.jar'];
  expect(others.map(hasArchiveName)).toEqual(others.map(() => false));
});

test('a block is the header of a tar by its checksum, or zeros', () => {
  const header = tarBytes([{ name: 'a', content: 'a' }]).subarray(0, 512);
  expect(isTarHeader(header)).toBe(true);
  expect(isTarHeader(Buffer.alloc(512))).toBe(true);
  const other = Buffer.from(header);
  other[0] = 0x62;
  expect([isTarHeader(other), isTarHeader(header.subarray(0, 511))]).toEqual([false, false]);
});

test.each([
  ['pack.zip!/a/b.txt', 'pack.zip'],
  ['sub/pack.tar.gz!/b.txt', 'sub/pack.tar.gz'],
  ['what!/b.txt', null],
  ['pack.zip', null],
  ['!/b', null],
])('a recorded path %s is a file of %s', (path, archive) => {
  expect(archiveOfPath(path)).toBe(archive);
});
