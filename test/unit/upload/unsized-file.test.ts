/** Files that the kernel makes up as they are read: their size is 0, and they have content. */
import { lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../src/platform/waiting/clock.ts';
import { openFileBody } from '../../../src/upload/body/body-reader.ts';
import { multipartFrame, newBoundary } from '../../../src/upload/body/multipart-body.ts';
import { createSmallReads } from '../../../src/upload/body/small-reads.ts';

function opened(root: string, path: string) {
  const { mtimeNs } = lstatSync(join(root, path), { bigint: true });
  const file = { root, name: { path }, size: 0, mtimeNs: String(mtimeNs) };
  const frame = multipartFrame(
    { fields: [], fileField: 'file', fileName: path, contentType: 'text/plain' },
    newBoundary(),
  );
  const reads = createSmallReads(true, systemClock.monotonicMs);
  return openFileBody(file, frame, reads, systemClock);
}

test.skipIf(process.platform !== 'linux')(
  'one of /proc is named as what it is, and not sent as nothing',
  async () => {
    await expect(opened('/proc/sys/kernel', 'ostype')).rejects.toMatchObject({ code: 'file_unsized' });
  },
);

test('an empty file is an empty file', async () => {
  const root = mkdtempSync(join(tmpdir(), 'slipway-unsized-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  writeFileSync(join(root, 'empty.txt'), '');
  const body = await opened(root, 'empty.txt');
  expect(body.sha256()).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});
