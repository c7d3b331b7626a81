/** What a watched folder promises: whole files, new versions, nothing twice. */
import { createHash } from 'node:crypto';
import { appendFile, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { expectHealthyCommand } from '../support/healthy-run.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

test('a file written with pauses shorter than settle is uploaded once, and whole', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox), { source: { settle: '2500ms' } }));
  const cli = place.start(['run']);
  await cli.said('watching');

  let content = '';
  for (let line = 0; line < 12; line += 1) {
    const text = `line ${line}\n`;
    content += text;
    await appendFile(place.path('inbox/slow.log'), text);
    // The writer's own pace, not a wait of the test.
    await pause(300);
  }
  await place.recorded(1);
  cli.signal('SIGTERM');

  expect(await cli.ended).toMatchObject({ code: 0 });
  expect(await place.receipts()).toMatchObject([
    { path: 'slow.log', status: 'uploaded', gen: 0, bytes: content.length, sha256: sha256(content) },
  ]);
  expect(sandbox.received().map(({ sha256: hash }) => hash)).toEqual([sha256(content)]);
});

test('an edited file is uploaded again as a new version, and a restart uploads nothing again', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  await place.file('inbox/report.txt', 'first');
  const cli = place.start(['run']);
  await place.recorded(1);
  await place.file('inbox/report.txt', 'first, then more');
  const [before, after] = await place.recorded(2);
  cli.signal('SIGTERM');
  const { code, stderr } = await cli.ended;
  expect(code).toBe(0);

  expect(before).toMatchObject({ path: 'report.txt', gen: 0, sha256: sha256('first') });
  expect(after).toMatchObject({ path: 'report.txt', gen: 0, sha256: sha256('first, then more') });
  expect(after?.id).not.toBe(before?.id);
  const snapshot = JSON.parse(await readFile(place.path('inbox.manifest.json'), 'utf8'));
  expect(snapshot).toMatchObject({ v: 1, counts: { uploaded: 1 }, files: [{ id: after?.id }] });

  const journal = await readFile(place.path('inbox.manifest.jsonl'));
  expect((await place.run(['run', '--once'])).code).toBe(0);
  expect(await readFile(place.path('inbox.manifest.jsonl'))).toEqual(journal);
  await expectHealthyCommand({ place, stderr, server: sandbox }, 2);
});

test('files dropped into a new subfolder while it runs are found, and --once sends what came while it did not', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  const cli = place.start(['run']);
  await cli.said('watching');
  for (let index = 0; index < 20; index += 1) await place.file(`inbox/new/er/${index}.txt`, `live ${index}`);
  await place.recorded(20);
  cli.signal('SIGINT');
  expect((await cli.ended).code).toBe(0);

  await place.file('inbox/new/late.txt', 'dropped while nobody watched');
  expect((await place.run(['run', '--once'])).code).toBe(0);

  const receipts = await place.receipts();
  expect(receipts.map(({ path }) => path).slice(20)).toEqual(['new/late.txt']);
  expect(new Set(receipts.map(({ id }) => id)).size).toBe(21);
  expect(sandbox.summary()).toMatchObject({ count: 21, repeated: 0 });
});

test('a folder that is named without a config file needs none, and is the same source the next time', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  // Only the destination: the folder is no source of the file.
  await place.config({ destinations: { demo: sandboxDestination(sandbox) } });
  await place.file('papers/a.txt', 'a');
  expect((await place.run(['run', 'papers', '--to', 'demo', '--once'])).code).toBe(0);
  await place.file('papers/b.txt', 'b');
  expect((await place.run(['run', './papers/', '--once'])).code).toBe(0);

  const receipts = await place.receipts(place.path('papers.manifest.jsonl'));
  expect(receipts.map(({ source, path }) => [source, path])).toEqual([
    ['papers', 'a.txt'],
    ['papers', 'b.txt'],
  ]);
});

test('its own config, data folder and manifests inside the watched folder are never uploaded', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const config = {
    dataDir: './data',
    destinations: { demo: sandboxDestination(sandbox) },
    sources: { all: { path: '.', destination: 'demo', settle: '300ms', manifest: './done.json' } },
  };
  await place.file('.env', 'SECRET=1');
  await place.config(config);
  await place.file('note.txt', 'the only file of the user');

  expect((await place.run(['run', '--once'])).code).toBe(0);
  expect((await place.run(['run', '--once'])).code).toBe(0);

  expect(sandbox.received().map(({ filename }) => filename)).toEqual(['note.txt']);
});

test.runIf(process.platform === 'linux')(
  'a command that stays keeps V8 small: the option is there, under the pid that was started, and the end is as clean',
  async () => {
    const place = await newWorkplace();
    const sandbox = await sandboxForTest();
    await place.config(inboxConfig(sandboxDestination(sandbox)));
    const cli = place.start(['run']);
    await cli.said('watching');
    const command = await readFile(`/proc/${cli.pid}/cmdline`, 'utf8');
    expect(command.split('\0').slice(1, 3)).toEqual([
      '--max-semi-space-size=16',
      expect.stringMatching(/slipway\.cjs$/),
    ]);
    cli.signal('SIGTERM');
    expect(await cli.ended).toMatchObject({ code: 0 });
    expect(await place.redisServers()).toEqual([]);
  },
);
