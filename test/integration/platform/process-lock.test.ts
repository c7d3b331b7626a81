import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { takeProcessLock, tryProcessLock } from '../../../src/platform/process/process-lock.ts';
import { systemClock } from '../../../src/platform/waiting/clock.ts';

const contender = fileURLToPath(new URL('../../support/lock-contender.ts', import.meta.url));

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sw-lock-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function contend(
  folder: string,
  counterFile: string,
  times: string,
  kind = 'lock',
): ChildProcess & { stdout: NodeJS.ReadableStream } {
  const child = spawn(process.execPath, [contender, folder, counterFile, times, kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

test('a held lock is not taken twice, not even by its own process, until it is given back', async () => {
  const folder = await newFolder();
  const first = tryProcessLock(folder);
  if (first.kind === 'held') throw new Error('nobody could hold it');

  expect(tryProcessLock(folder)).toEqual({ kind: 'held', pid: process.pid });
  expect(await takeProcessLock(folder, systemClock, 50)).toEqual({ kind: 'held', pid: process.pid });

  first.release();
  expect(tryProcessLock(folder).kind).toBe('taken');
});

test('the lock of a process that was killed is taken over at once', async () => {
  const folder = await newFolder();
  const holder = contend(folder, 'unused', 'hold');
  await once(holder.stdout, 'data');
  expect(tryProcessLock(folder)).toEqual({ kind: 'held', pid: holder.pid });

  const exited = once(holder, 'exit');
  holder.kill('SIGKILL');
  await exited;

  expect(tryProcessLock(folder).kind).toBe('taken');
});

test('a lock that names another process with a reused pid, or nothing sensible, is no obstacle', async () => {
  for (const target of [`${process.pid}-1`, 'nonsense']) {
    const folder = await newFolder();
    await symlink(target, join(folder, 'lock.41'));
    expect(tryProcessLock(folder).kind).toBe('taken');
    expect(await readdir(folder)).toEqual(['lock.42']);
  }
});

test('processes that fight for a dead one’s lock never hold it together', async () => {
  const folder = await newFolder();
  const counterFile = join(folder, 'counter');
  await writeFile(counterFile, '0');
  await symlink('999999999-1', join(folder, 'lock.1'));
  const processes = Array.from({ length: 4 }, () => contend(folder, counterFile, '100'));

  await Promise.all(processes.map((child) => once(child, 'exit')));

  expect(await readFile(counterFile, 'utf8')).toBe('400');
});

test('the lock of a journal, whose folder goes each time it is given back, is never held twice either', async () => {
  const folder = await newFolder();
  const counterFile = join(folder, 'counter');
  await writeFile(counterFile, '0');
  const processes = Array.from({ length: 4 }, () => contend(folder, counterFile, '100', 'journal'));
  const codes = await Promise.all(processes.map(async (child) => (await once(child, 'exit'))[0] as number));
  expect(codes).toEqual([0, 0, 0, 0]);
  expect(await readFile(counterFile, 'utf8')).toBe('400');
  expect((await readdir(folder)).filter((name) => name !== 'counter')).toEqual([]);
});
