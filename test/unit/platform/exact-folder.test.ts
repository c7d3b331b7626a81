import {
  closeSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openFile, READ_FLAGS, readExactFile } from '../../../src/platform/files/exact-file.ts';
import {
  below,
  inFolder,
  inFolderSync,
  inMadeFolder,
  openFileSync,
  openFolder,
  splitPath,
} from '../../../src/platform/files/exact-folder.ts';
import { realRootOf, settleRealRoot } from '../../../src/platform/files/real-root.ts';
import { testFolder } from '../../support/record-rig.ts';

const NOT_A_FOLDER = expect.objectContaining({ code: 'ENOTDIR' });

/** `a/b/f` in a folder of its own, and `outside/b/f` beside it. */
function tree(): string {
  const folder = realpathSync(testFolder());
  for (const place of ['a/b', 'outside/b']) {
    mkdirSync(join(folder, place), { recursive: true });
    writeFileSync(join(folder, place, 'f'), place);
  }
  return folder;
}

function linkInPlaceOf(folder: string, name: string, target: string): void {
  renameSync(join(folder, name), join(folder, 'moved'));
  symlinkSync(join(folder, target), join(folder, name));
}

test('what lies in a folder is read through it, in both ways', async () => {
  const folder = tree();
  const path = join(folder, 'a/b');
  expect(await inFolder(path, async (at) => await readFile(below(at, 'f'), 'utf8'))).toBe('a/b');
  expect(inFolderSync(Buffer.from(path), (at) => readFileSync(below(at, 'f'), 'utf8'))).toBe('a/b');
  expect((await readExactFile(join(path, 'f'))).toString()).toBe('a/b');
  const file = openFileSync(join(path, 'f'), READ_FLAGS);
  expect(readFileSync(file, 'utf8')).toBe('a/b');
  closeSync(file);
});

test.each([
  ['the folder itself', 'a/b', 'outside/b'],
  ['a folder above it', 'a', 'outside'],
])('%s is a link now: it is no folder, whoever asks', async (_, name, target) => {
  const folder = tree();
  linkInPlaceOf(folder, name, target);
  const path = join(folder, 'a/b');
  await expect(openFolder(path)).rejects.toEqual(NOT_A_FOLDER);
  await expect(inFolder(Buffer.from(path), async () => 'entered')).rejects.toEqual(NOT_A_FOLDER);
  expect(() => inFolderSync(path, () => 'entered')).toThrow(NOT_A_FOLDER);
  await expect(inMadeFolder(path, async () => 'entered')).rejects.toEqual(NOT_A_FOLDER);
  await expect(inMadeFolder(join(path, 'new'), async () => 'entered')).rejects.toEqual(NOT_A_FOLDER);
  await expect(openFile(join(path, 'f'))).rejects.toEqual(NOT_A_FOLDER);
  for (const file of [join(path, 'f'), Buffer.from(join(path, 'f'))])
    expect(() => openFileSync(file, READ_FLAGS)).toThrow(NOT_A_FOLDER);
});

test('a link at the end is not opened either', async () => {
  const folder = tree();
  symlinkSync(join(folder, 'outside/b/f'), join(folder, 'a/b/link'));
  await expect(openFile(join(folder, 'a/b/link'))).rejects.toMatchObject({ code: 'ELOOP' });
  const open = (): number => openFileSync(join(folder, 'a/b/link'), READ_FLAGS);
  expect(open).toThrow(expect.objectContaining({ code: 'ELOOP' }));
});

test('a folder that is moved while it is held is still the one that is acted in, and says that it is not in place', async () => {
  const folder = tree();
  const held = await openFolder(join(folder, 'a/b'));
  try {
    expect(await held.isInPlace()).toBe(true);
    linkInPlaceOf(folder, 'a', 'outside');
    expect(await held.isInPlace()).toBe(false);
    if (!held.isHeld) return;
    await writeFile(below(held.at, 'f'), 'written');
    expect(readFileSync(join(folder, 'moved/b/f'), 'utf8')).toBe('written');
    expect(readFileSync(join(folder, 'outside/b/f'), 'utf8')).toBe('outside/b');
  } finally {
    await held.close();
  }
});

test('folders that are missing are made on the way, and what the work throws is thrown', async () => {
  const folder = tree();
  await inMadeFolder(join(folder, 'a/new/deep'), async (at) => await writeFile(below(at, 'f'), 'x'));
  expect(readFileSync(join(folder, 'a/new/deep/f'), 'utf8')).toBe('x');
  const missing = inMadeFolder(join(folder, 'a/new'), async (at) => await readFile(below(at, 'none')));
  await expect(missing).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(inFolder(join(folder, 'none'), async () => 'entered')).rejects.toMatchObject({
    code: 'ENOENT',
  });
});

test('a configured path that is a link is resolved once; a link that comes later is not followed', async () => {
  const folder = tree();
  symlinkSync(join(folder, 'a'), join(folder, 'configured'));
  expect(realRootOf(join(folder, 'configured'))).toBe(join(folder, 'a'));
  rmSync(join(folder, 'configured'));
  symlinkSync(join(folder, 'outside'), join(folder, 'configured'));
  expect(realRootOf(join(folder, 'configured'))).toBe(join(folder, 'a'));
  expect(realRootOf(join(folder, 'later'))).toBe(join(folder, 'later'));
  settleRealRoot(join(folder, 'done'));
  for (const name of ['later', 'done']) symlinkSync(join(folder, 'outside'), join(folder, name));
  expect(realRootOf(join(folder, 'later'))).toBe(join(folder, 'outside'));
  await expect(inMadeFolder(realRootOf(join(folder, 'done')), async () => 'entered')).rejects.toEqual(
    NOT_A_FOLDER,
  );
});

test('paths are split as the system reads them, names that are not UTF-8 too', () => {
  expect(splitPath('/a/b')).toEqual({ parent: '/a', name: 'b' });
  expect(splitPath('/a')).toEqual({ parent: '/', name: 'a' });
  const bytes = Buffer.from([0x2f, 0xff, 0x2f, 0xfe]);
  expect(splitPath(bytes)).toEqual({ parent: bytes.subarray(0, 2), name: bytes.subarray(3) });
});
