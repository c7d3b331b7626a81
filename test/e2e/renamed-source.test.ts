/** A source that has another name in the config than before: its records go on, or a person has to say what it is. */
import { execFileSync } from 'node:child_process';
import { renameSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Status } from '../../src/operations/inspect/status.ts';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';
import { type CliOptions, errorLine, logLines } from '../support/cli.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { newWorkplace, sandboxDestination, type Workplace } from '../support/workplace.ts';

const ONCE = ['run', '--once'];
const FILES = 5;

function configOf(sandbox: Sandbox, sources: Readonly<Record<string, object>>): object {
  const common = { path: './inbox', destination: 'demo', settle: '300ms' };
  const named = Object.entries(sources).map(([name, more]) => [name, { ...common, ...more }] as const);
  return {
    dataDir: './data',
    destinations: { demo: sandboxDestination(sandbox), other: sandboxDestination(sandbox) },
    sources: Object.fromEntries(named),
  };
}

/** Five files, recorded by a source called `pictures`. */
async function picturesPlace(): Promise<{
  place: Workplace;
  sandbox: Sandbox;
  sources(sources: Readonly<Record<string, object>>): Promise<void>;
}> {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const sources = (given: Readonly<Record<string, object>>) => place.config(configOf(sandbox, given));
  await sources({ pictures: {} });
  for (let index = 0; index < FILES; index += 1) await place.file(`inbox/${index}.txt`, `content ${index}`);
  expect((await place.run(ONCE)).code).toBe(0);
  return { place, sandbox, sources };
}

async function statusOf(place: Workplace): Promise<Status> {
  return JSON.parse((await place.read(['status', '--json'])).stdout) as Status;
}

test('with renamedFrom ledger, ids and manifest go on: only what is new is sent, and the key may go again', async () => {
  const { place, sandbox, sources } = await picturesPlace();
  await sources({ images: { renamedFrom: 'pictures' } });
  await place.file('inbox/new.txt', 'new');
  const renamed = await place.run(ONCE);
  expect(renamed.code).toBe(0);
  expect(logLines(renamed.stderr).filter(({ level }) => level >= 40)).toEqual([]);
  expect(sandbox.summary().count).toBe(FILES + 1);

  await sources({ images: {} });
  await place.file('inbox/newer.txt', 'newer');
  const without = await place.run(ONCE);
  expect(without.code).toBe(0);
  expect(logLines(without.stderr).filter(({ level }) => level >= 40)).toEqual([]);
  expect(sandbox.summary().count).toBe(FILES + 2);
  const receipts = await place.receipts();
  expect(receipts.map(({ status }) => status)).toEqual(Array(FILES + 2).fill('uploaded'));
  // One identity for all of it: an id is made of the source that its receipt names.
  expect(new Set(receipts.map(({ source }) => source))).toEqual(new Set(['pictures']));

  const [source, ...others] = (await statusOf(place)).sources;
  expect(others).toEqual([]);
  expect(source).toMatchObject({ name: 'images', uploaded: FILES + 2, pending: 0 });
  expect((await place.read(['lookup', '0.txt', '--source', 'images'])).code).toBe(0);

  // Renamed once more: the first name is the identity still.
  await sources({ photos: { renamedFrom: 'images' } });
  expect((await place.run(ONCE)).code).toBe(0);
  await sources({ photos: {} });
  expect((await place.run(ONCE)).code).toBe(0);
  expect(sandbox.summary().count).toBe(FILES + 2);
});

test('what waits in the queue under the old name is sent once, under the new one', async () => {
  const { place, sandbox, sources } = await picturesPlace();
  // Left in Redis by an owner without a worker.
  const intake = place.start(['intake']);
  for (let index = 0; index < FILES; index += 1) await place.file(`inbox/b${index}.txt`, `more ${index}`);
  for (let waiting = 0; waiting < FILES; ) waiting = (await statusOf(place)).sources[0]?.live?.waiting ?? 0;
  intake.signal('SIGTERM');
  expect((await intake.ended).code).toBe(0);

  await sources({ images: { renamedFrom: 'pictures' } });
  expect((await place.run(ONCE)).code).toBe(0);
  expect(sandbox.summary().count).toBe(2 * FILES);
  expect(await place.receipts()).toHaveLength(2 * FILES);
});

test('without it nothing is sent before somebody has said so, and both ways on are named; null sends all of it', async () => {
  const { place, sandbox, sources } = await picturesPlace();
  await sources({ images: {} });
  for (const command of [ONCE, ['run'], ['intake'], ['ingest', 'inbox', '--source', 'images']]) {
    const refused = await place.run(command);
    expect(refused.code).toBe(2);
    expect(errorLine(refused)).toContain('`renamedFrom: pictures`');
    expect(errorLine(refused)).toContain('`renamedFrom: null`');
  }
  expect(sandbox.summary().count).toBe(FILES);
  expect(place.redisServers()).toEqual([]);

  await sources({ images: { renamedFrom: null, manifest: './images.manifest.json' } });
  expect((await place.run(ONCE)).code).toBe(0);
  expect(sandbox.summary().count).toBe(2 * FILES);
  // Said once; and what has records of its own can become no other source.
  await sources({ images: { manifest: './images.manifest.json' } });
  expect((await place.run(ONCE)).code).toBe(0);
  await sources({ images: { renamedFrom: 'pictures', manifest: './images.manifest.json' } });
  const refused = await place.run(ONCE);
  expect(refused.code).toBe(2);
  expect(errorLine(refused)).toContain('has records of its own');
  expect(sandbox.summary().count).toBe(2 * FILES);
});

test('a name that is gone is warned of, with the key; another destination, another folder and a few known files are no rename', async () => {
  const { place, sandbox, sources } = await picturesPlace();
  await sources({ images: { destination: 'other', manifest: './images.manifest.json' } });
  const elsewhere = await place.run(ONCE);
  expect(elsewhere.code).toBe(0);
  expect(elsewhere.stderr).toContain('renamedFrom: pictures');
  expect(sandbox.summary().count).toBe(2 * FILES);

  renameSync(place.path('inbox', '0.txt'), place.path('0.txt'));
  for (let index = 1; index < FILES; index += 1)
    renameSync(place.path('inbox', `${index}.txt`), place.path(`${index}.txt`));
  renameSync(place.path('0.txt'), place.path('inbox', '0.txt'));
  for (let index = 0; index < FILES; index += 1) await place.file(`inbox/n${index}.txt`, `new ${index}`);
  await sources({ photos: { manifest: './photos.manifest.json' } });
  expect((await place.run(ONCE)).code).toBe(0);
  // One of six is known: 17 %.
  expect(sandbox.summary().count).toBe(2 * FILES + FILES + 1);
});

test('a name that cannot have been its name is a mistake in the config, with the line', async () => {
  const { place, sources } = await picturesPlace();
  await sources({
    pictures: {},
    images: { path: './images', renamedFrom: 'pictures' },
    same: { path: './same', renamedFrom: 'same' },
    door: { path: './door', renamedFrom: 'gateway' },
  });
  const { code, stdout, stderr } = await place.read(['config', 'check']);
  expect(code).toBe(2);
  expect(stdout + stderr).toMatch(/sources\.images\.renamedFrom: `pictures` is still a source of this file/);
  expect(stdout + stderr).toMatch(/sources\.same\.renamedFrom: is its own name/);
  expect(stdout + stderr).toMatch(/sources\.door\.renamedFrom: /);

  // Later the old name is given away, while its records go on under the new one.
  await sources({ images: { renamedFrom: 'pictures' } });
  expect((await place.run(ONCE)).code).toBe(0);
  await sources({ images: {}, pictures: { path: './other' } });
  const taken = await place.run(ONCE);
  expect(taken.code).toBe(2);
  expect(errorLine(taken)).toMatch(/sources\.pictures: the records of source images go on under this name/);
});

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

const atTerminal = (place: Workplace): Partial<CliOptions> => ({
  interactive: true,
  env: place.env,
  through: (command) => ['script', '-qefc', `exec ${command.map(quoted).join(' ')}`, '/dev/null'],
});

function hasScript(): boolean {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux');
  } catch {
    return false;
  }
}

test.runIf(hasScript())('a person at a terminal is asked once', async () => {
  const { place, sandbox, sources } = await picturesPlace();
  await sources({ images: {} });
  const unsure = place.start(ONCE, atTerminal(place));
  await unsure.said('[r]enamed / [n]ew');
  unsure.type('\r');
  expect((await unsure.ended).code).toBe(2);
  const sure = place.start(ONCE, atTerminal(place));
  await sure.said('[r]enamed / [n]ew');
  expect(sure.stdout()).toContain('5 of the 5 files');
  sure.type('r\r');
  expect((await sure.ended).code).toBe(0);
  expect((await place.run(ONCE)).code).toBe(0);
  expect(sandbox.summary().count).toBe(FILES);
});
