import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pathNameOf, pathOnDisk } from '../../../src/domain/path-bytes.ts';
import { hashFile } from '../../../src/intake/scan/hash-file.ts';
import { type SeenFile, seenFileOf } from '../../../src/intake/scan/seen-file.ts';
import { testFolder } from '../../support/record-rig.ts';

const signal = new AbortController().signal;

/** Writes a file and looks at it. */
function seen(root: string, name: string | Buffer, content: Buffer): SeenFile {
  const path = pathNameOf(Buffer.from(name));
  writeFileSync(pathOnDisk(root, path), content);
  return seenFileOf(path, lstatSync(pathOnDisk(root, path), { bigint: true }));
}

function replaceBy(command: string, path: string): void {
  rmSync(path);
  execFileSync(command, [path]);
}

test.each([0, 1, 256 * 1024, 256 * 1024 + 1, 1_000_000])(
  'a file of %i bytes has the hash it has',
  async (size) => {
    const root = testFolder();
    const content = randomBytes(size);
    const file = seen(root, Buffer.from([0x61, 0xff]), content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect(await hashFile(root, file, signal)).toEqual({ kind: 'hashed', sha256 });
  },
);

test.each<[string, (path: string) => void]>([
  ['was written to', (path) => writeFileSync(path, 'longer than before')],
  ['is gone', (path) => rmSync(path)],
  ['is a folder now', (path) => replaceBy('mkdir', path)],
  ['is a pipe now', (path) => replaceBy('mkfifo', path)],
  [
    'is another file with its size and time',
    (path) => {
      writeFileSync(`${path}.new`, 'other!!');
      execFileSync('touch', ['-r', path, `${path}.new`]);
      renameSync(`${path}.new`, path);
    },
  ],
])('one that %s has changed', async (_what, change) => {
  const root = testFolder();
  const file = seen(root, 'a', Buffer.from('content'));
  change(join(root, 'a'));
  expect(await hashFile(root, file, signal)).toEqual({ kind: 'changed' });
});

test('a link in its place is not followed', async () => {
  const root = testFolder();
  const file = seen(root, 'a', Buffer.from('content'));
  renameSync(join(root, 'a'), join(root, 'b'));
  symlinkSync('b', join(root, 'a'));
  expect(await hashFile(root, file, signal)).toMatchObject({ kind: 'unreadable' });
});

test.skipIf(process.getuid?.() === 0)('one that may not be read is said to be so', async () => {
  const root = testFolder();
  const file = seen(root, 'a', Buffer.from('content'));
  chmodSync(join(root, 'a'), 0);
  expect(await hashFile(root, file, signal)).toMatchObject({ kind: 'unreadable', error: { code: 'EACCES' } });
});

test('the signal ends it', async () => {
  const root = testFolder();
  const file = seen(root, 'a', Buffer.from('content'));
  await expect(hashFile(root, file, AbortSignal.abort())).rejects.toThrow('aborted');
});
