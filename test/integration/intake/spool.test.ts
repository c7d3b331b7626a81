/** Files of archives between being unpacked and being recorded: bounded, checked, and gone in the end. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import type { FileEntry } from '../../../src/intake/archives/archive-entry.ts';
import { openSpool, type Spool } from '../../../src/intake/archives/spool.ts';
import { createSpoolBudget } from '../../../src/intake/archives/spool-budget.ts';

const never = new AbortController().signal;
const MTIME_NS = '1795309323000000000';

function entry(content: string, says: Partial<FileEntry> = {}): FileEntry {
  const bytes = Buffer.from(content);
  return {
    ...{ kind: 'file', name: { path: 'a' }, size: bytes.length, mtimeNs: MTIME_NS, crc32: crc32(bytes) },
    async open() {
      return (async function* () {
        yield bytes;
      })();
    },
    ...says,
  };
}

function folderForTest(): string {
  const base = mkdtempSync(join(tmpdir(), 'slipway-spool-'));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  return join(base, 'spool', 'inbox');
}

async function spoolOf(
  maxBytes: number,
  folder = folderForTest(),
): Promise<{ spool: Spool; folder: string }> {
  return {
    folder,
    spool: await openSpool(folder, createSpoolBudget(maxBytes), (id) => id === 'kept-0'),
  };
}

test('a file lies there under its job with the time of its version, for nobody else to read, until it is released', async () => {
  const { spool, folder } = await spoolOf(100);
  await spool.put('job-0', entry('content'), never);
  const path = join(folder, 'job-0');
  expect(readFileSync(path, 'utf8')).toBe('content');
  const stats = statSync(path, { bigint: true });
  expect([Number(stats.mode) & 0o777, String(stats.mtimeNs)]).toEqual([0o600, MTIME_NS]);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(spool.has('job-0', 7)).toBe(true);
  await spool.release(['job-0', 'never-there']);
  expect(existsSync(path)).toBe(false);
});

test('never more than maxBytes: the next one waits until one is released', async () => {
  const { spool, folder } = await spoolOf(10);
  await spool.put('a', entry('123456'), never);
  expect(spool.fits(6)).toBe(false);
  const second = spool.put('b', entry('abcdef'), never);
  expect(
    await Promise.race([second.then(() => 'put'), new Promise((done) => setImmediate(done, 'waits'))]),
  ).toBe('waits');
  expect(readdirSync(folder)).toEqual(['a']);
  await spool.release(['a']);
  await second;
  expect(readdirSync(folder)).toEqual(['b']);
});

test('a wait ends with the signal, and takes nothing', async () => {
  const { spool } = await spoolOf(10);
  await spool.put('a', entry('1234567890'), never);
  const stop = new AbortController();
  const waiting = spool.put('b', entry('x'), stop.signal);
  stop.abort(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
  await spool.release(['a']);
  expect(spool.fits(10)).toBe(true);
});

test.each([
  ['more than it says', { size: 3 }, 'more than the 3 bytes'],
  ['less than it says', { size: 30 }, 'has 7 bytes, not 30'],
  ['another checksum', { crc32: 1 }, 'checksum is wrong'],
  [
    'an error on the way',
    {
      open: async () => {
        throw new Error('invalid stored block lengths');
      },
    },
    'invalid stored block lengths',
  ],
])('%s: the entry is broken, and nothing of it stays', async (_what, says, message) => {
  const { spool, folder } = await spoolOf(100);
  await expect(spool.put('a', entry('content', says), never)).rejects.toMatchObject({
    code: 'archive_entry_broken',
    message: expect.stringContaining(message),
  });
  expect(readdirSync(folder)).toEqual([]);
  expect(spool.fits(100)).toBe(true);
});

test('at the start what no job needs is removed, and what one needs counts', async () => {
  const folder = folderForTest();
  mkdirSync(folder, { recursive: true });
  for (const name of ['kept-0', 'kept-1.tmp', 'old-0', 'old-0.tmp'])
    writeFileSync(join(folder, name), 'content');
  const { spool } = await spoolOf(10, folder);
  expect(readdirSync(folder)).toEqual(['kept-0']);
  expect(spool.has('kept-0', 7)).toBe(true);
  expect(spool.fits(4)).toBe(false);
});

test.each(['spool', 'spool/inbox'])(
  'what a link at %s leads to is neither emptied nor written into',
  async (link) => {
    const folder = folderForTest();
    const base = join(folder, '../..');
    const outside = join(base, 'outside');
    mkdirSync(join(outside, 'inbox'), { recursive: true });
    for (const name of ['theirs.txt', 'inbox/theirs.txt']) writeFileSync(join(outside, name), 'theirs');
    if (link !== 'spool') mkdirSync(join(base, 'spool'));
    symlinkSync(outside, join(base, link));
    await expect(spoolOf(100, folder)).rejects.toMatchObject({ code: 'data_dir' });
    expect(readdirSync(outside, { recursive: true }).sort()).toEqual([
      'inbox',
      'inbox/theirs.txt',
      'theirs.txt',
    ]);
  },
);

test('a link that takes its place later is met by nothing: the file of an archive waits for the next start', async () => {
  const { spool, folder } = await spoolOf(100);
  await spool.put('job-0', entry('first'), never);
  const outside = join(folder, '../../outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'job-0'), 'theirs');
  rmSync(folder, { recursive: true });
  symlinkSync(outside, folder);
  await spool.release(['job-0']);
  await expect(spool.put('job-1', entry('second'), never)).rejects.toMatchObject({ code: 'data_dir' });
  expect(readdirSync(outside)).toEqual(['job-0']);
});
