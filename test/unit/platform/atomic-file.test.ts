import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeAtomic } from '../../../src/platform/files/atomic-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-atomic-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function* lines(count: number): AsyncGenerator<string> {
  for (let index = 0; index < count; index += 1) yield `line ${index}\n`;
}

test('the file holds the whole content with the mode asked for, and nothing else is left', async () => {
  const path = join(folder, 'x.json');
  await writeAtomic(path, '{"a":1}', { mode: 0o600 });
  expect(await readFile(path, 'utf8')).toBe('{"a":1}');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['x.json']);
});

test('the mode holds whatever the umask says', async () => {
  const before = process.umask(0o077);
  try {
    await writeAtomic(join(folder, 'x'), 'a', { mode: 0o644 });
  } finally {
    process.umask(before);
  }
  expect((await stat(join(folder, 'x'))).mode & 0o777).toBe(0o644);
});

test('chunks of text and bytes, from a generator or a list, arrive in order', async () => {
  const path = join(folder, 'long');
  await writeAtomic(path, lines(100_000), { mode: 0o600 });
  const text = await readFile(path, 'utf8');
  expect(text.split('\n')).toHaveLength(100_001);
  expect(text.endsWith('line 99999\n')).toBe(true);
  await writeAtomic(path, ['é', Buffer.from([0xff]), ''], { mode: 0o600 });
  expect(await readFile(path)).toEqual(Buffer.from([0xc3, 0xa9, 0xff]));
  await writeAtomic(path, '', { mode: 0o600 });
  expect((await stat(path)).size).toBe(0);
});

test('when the content fails half way the old file stays and the temporary one goes', async () => {
  const path = join(folder, 'x');
  await writeFile(path, 'old');
  const failing = async function* () {
    yield 'a'.repeat(600_000);
    throw new Error('stop');
  };
  await expect(writeAtomic(path, failing(), { mode: 0o600 })).rejects.toThrow('stop');
  expect(await readFile(path, 'utf8')).toBe('old');
  expect(await readdir(folder)).toEqual(['x']);
});

test('while the content is being written readers see the old file', async () => {
  const path = join(folder, 'x');
  await writeFile(path, 'old');
  const seen: string[] = [];
  const slow = async function* () {
    yield 'n'.repeat(300_000);
    seen.push(await readFile(path, 'utf8'));
    yield 'ew';
  };
  await writeAtomic(path, slow(), { mode: 0o600 });
  expect(seen).toEqual(['old']);
  expect((await readFile(path, 'utf8')).endsWith('new')).toBe(true);
});

test('a name as long as names can be is no obstacle', async () => {
  const path = join(folder, 'n'.repeat(255));
  await writeAtomic(path, 'a', { mode: 0o600 });
  expect(await readFile(path, 'utf8')).toBe('a');
});

test('many writers at once leave one whole file', async () => {
  const path = join(folder, 'x');
  const contents = Array.from({ length: 20 }, (_, index) => String(index).repeat(1000));
  await Promise.all(contents.map((content) => writeAtomic(path, content, { mode: 0o600 })));
  expect(contents).toContain(await readFile(path, 'utf8'));
  expect(await readdir(folder)).toEqual(['x']);
});

test('a folder that is not there is an error of the system', async () => {
  await expect(writeAtomic(join(folder, 'no', 'x'), 'a', { mode: 0o600 })).rejects.toMatchObject({
    code: 'ENOENT',
  });
});
