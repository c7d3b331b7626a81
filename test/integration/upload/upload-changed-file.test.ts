import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { fileFailure } from '../../../src/upload/attempt/file-check.ts';
import { startHttpServer } from '../../support/http-server.ts';
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

function overwriteStart(path: string): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, 'changed', 0);
  closeSync(fd);
}

test.each<[string, string, (path: string) => void]>([
  ['rewritten in place at the same size', 'changed', overwriteStart],
  ['grown', 'changed', (path) => appendFileSync(path, 'more')],
  ['shrunk', 'changed', (path) => truncateSync(path, 3 * 1024 * 1024)],
  ['emptied', 'changed', (path) => truncateSync(path, 0)],
  ['deleted', 'vanished', (path) => unlinkSync(path)],
  [
    'replaced by a rename',
    'changed',
    (path) => {
      writeFileSync(`${path}.new`, randomBytes(LARGE));
      renameSync(`${path}.new`, path);
    },
  ],
])('a file that is %s while it is read is never stored nor recorded as uploaded', async (_, code, change) => {
  const root = uploadFolder();
  const path = join(root, 'a.bin');
  let complete = 0;
  const server = await startHttpServer(async (visit) => {
    if (visit.attempt === 1) {
      await new Promise((resolve) => visit.request.once('readable', resolve));
      change(path);
    }
    await visit.body();
    complete += 1;
    visit.json(200, { code: 0 });
  });
  const destination = plainDestination(`${server.origin}/`);
  const { send } = testClient({ connectionsPerOrigin: 1 });
  const task = fileTask(root, 'a.bin', randomBytes(LARGE));
  // An mtime in the past, as every settled file has: the change is then visible on any file system.
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  const settled = { ...task, mtimeNs: taskOf(root, 'a.bin').mtimeNs };

  expect(await attempt(settled, destination, send)).toMatchObject({ kind: 'skipped', code, requests: 1 });
  expect(complete).toBe(0);
  // The one connection of the pool is free again.
  expect((await attempt(fileTask(root, 'b.txt', 'b'), destination, send)).kind).toBe('uploaded');
});

test.each<[string, string, (path: string, root: string) => void]>([
  ['was edited before it was sent', 'changed', (path) => writeFileSync(path, 'other length')],
  ['was deleted', 'vanished', (path) => unlinkSync(path)],
  [
    'became a folder',
    'changed',
    (path) => {
      unlinkSync(path);
      mkdirSync(path);
    },
  ],
  [
    'became a link to another file',
    'changed',
    (path, root) => {
      unlinkSync(path);
      writeFileSync(join(root, 'secret'), 'a');
      symlinkSync(join(root, 'secret'), path);
    },
  ],
  [
    'became a pipe',
    'changed',
    (path) => {
      unlinkSync(path);
      execFileSync('mkfifo', [path]);
    },
  ],
])('a file that %s is skipped without a request', async (_, code, change) => {
  const server = await startHttpServer((visit) => visit.json(200, { code: 0 }));
  const destination = plainDestination(`${server.origin}/`);
  const { send } = testClient();
  for (const localDisk of [true, false]) {
    const root = uploadFolder();
    const task = fileTask(root, 'a.txt', 'a');
    change(join(root, 'a.txt'), root);
    const result = await attempt(task, destination, send, { localDisk });
    expect(result).toMatchObject({ kind: 'skipped', code, requests: 0 });
  }
  expect(server.visits()).toBe(0);
});

test('a large file that became a pipe neither hangs nor is sent', async () => {
  const server = await startHttpServer((visit) => visit.json(200, { code: 0 }));
  const root = uploadFolder();
  const task = fileTask(root, 'a.bin', Buffer.alloc(2_000_000));
  unlinkSync(join(root, 'a.bin'));
  execFileSync('mkfifo', [join(root, 'a.bin')]);
  const result = await attempt(task, plainDestination(`${server.origin}/`), testClient().send);
  expect(result).toMatchObject({ kind: 'skipped', code: 'changed' });
  expect(server.visits()).toBe(0);
});

test('a root that is gone is a lost mount: the file waits instead of being called vanished', async () => {
  const root = uploadFolder();
  const task = fileTask(root, 'a.txt', 'a');
  rmSync(root, { recursive: true });
  const result = await attempt(task, plainDestination('http://127.0.0.1:1/'), testClient().send);
  expect(result).toMatchObject({
    kind: 'failed',
    failure: { kind: 'unavailable', code: 'source_root_gone' },
    requests: 0,
  });
});

test.each([
  ['EACCES', 'file_unreadable'],
  ['EPERM', 'file_unreadable'],
  ['ELOOP', 'file_changed'],
  ['ENXIO', 'file_changed'],
  ['EMFILE', 'out_of_handles'],
  ['ENOTDIR', 'file_vanished'],
  ['EIO', 'read_failed'],
  ['ESTALE', 'read_failed'],
])('%s is %s', async (errno, code) => {
  const error = Object.assign(new Error('no'), { code: errno });
  expect(await fileFailure(error, { root: uploadFolder() })).toMatchObject({ code });
});

test('what is already one of our errors stays as it is', async () => {
  const error = new SlipwayError('file_changed', { what: 'x' });
  expect(await fileFailure(error, { root: '/' })).toBe(error);
});

// root reads everything; containers of CI often run as root.
test.skipIf(process.getuid?.() === 0)('a file without read permission is unreadable', async () => {
  const root = uploadFolder();
  const task = fileTask(root, 'a.txt', 'a');
  execFileSync('chmod', ['000', join(root, 'a.txt')]);
  const result = await attempt(task, plainDestination('http://127.0.0.1:1/'), testClient().send);
  expect(result).toMatchObject({ kind: 'unreadable', message: expect.stringContaining('EACCES') });
});
