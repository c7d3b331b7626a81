/** A folder is moved away and a link left in its place while its files wait or are sent (G9). */
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, renameSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startHttpServer } from '../../support/http-server.ts';
import { folderOnOtherDisk } from '../../support/other-disk.ts';
import {
  attempt,
  fileTask,
  plainDestination,
  taskOf,
  testClient,
  uploadFolder,
} from '../../support/upload-fixture.ts';

/** More than every socket buffer on the way, so that the file is still being read when the server looks up. */
const LARGE = 48 * 1024 * 1024;
const SIZES: readonly [string, number, boolean][] = [
  ['small, on the event loop', 100, true],
  ['small, through the thread pool', 100, false],
  ['large', 2 * 1024 * 1024, true],
];
const CASES = SIZES.flatMap(([size, bytes, localDisk]) =>
  ['same', 'other'].map((disk) => ({ size, bytes, localDisk, disk })),
);

/** `d/a.bin` in a root, and the very same outside: name, bytes and time. */
function twins(bytes: number, disk = 'same') {
  const root = uploadFolder();
  const outside = disk === 'same' ? uploadFolder() : folderOnOtherDisk();
  mkdirSync(join(root, 'd'));
  const path = join(root, 'd/a.bin');
  fileTask(root, 'd/a.bin', randomBytes(bytes));
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  if (outside !== null) {
    copyFileSync(path, join(outside, 'a.bin'));
    utimesSync(join(outside, 'a.bin'), 1_700_000_000, 1_700_000_000);
  }
  return { root, outside, task: taskOf(root, 'd/a.bin') };
}

function swap(root: string, target: string): void {
  renameSync(join(root, 'd'), join(root, 'moved'));
  symlinkSync(target, join(root, 'd'));
}

test.each(CASES)('a $size file whose folder became a link to the $disk disk is never sent', async (made) => {
  const { root, outside, task } = twins(made.bytes, made.disk);
  if (outside === null) return;
  let requests = 0;
  const server = await startHttpServer(async (visit) => {
    requests += 1;
    await visit.body();
    visit.json(200, { code: 0 });
  });
  const { send } = testClient();
  const destination = plainDestination(`${server.origin}/`);
  const { localDisk } = made;
  expect((await attempt(task, destination, send, { localDisk })).kind).toBe('uploaded');
  swap(root, outside);
  expect(await attempt(task, destination, send, { localDisk })).toMatchObject({
    kind: 'skipped',
    code: 'vanished',
  });
  expect(requests).toBe(1);
});

test('a file whose folder becomes a link to where it was moved, while it is sent, is not stored', async () => {
  const { root, task } = twins(LARGE);
  let complete = 0;
  const server = await startHttpServer(async (visit) => {
    await new Promise((resolve) => visit.request.once('readable', resolve));
    swap(root, join(root, 'moved'));
    await visit.body();
    complete += 1;
    visit.json(200, { code: 0 });
  });
  const { send } = testClient();
  expect(await attempt(task, plainDestination(`${server.origin}/`), send)).toMatchObject({
    kind: 'skipped',
    code: 'vanished',
  });
  expect(complete).toBe(0);
});
