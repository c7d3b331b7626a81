/** What is not sent although it is new: renamed files, sizes, and what lay there before. */
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Receipt } from '../../src/domain/receipt.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

const ONCE = ['run', '--once'];

test('a renamed file is recorded with the upload it had: nothing reaches the server, and every command says so', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  await place.file('inbox/a/b.txt', 'content');
  expect((await place.run(ONCE)).code).toBe(0);
  const [before] = await place.receipts();
  renameSync(place.path('inbox/a/b.txt'), place.path('inbox/c.txt'));
  // Nobody is there to be asked.
  await sandbox.close();
  expect((await place.run(ONCE)).code).toBe(0);
  const [, after] = await place.receipts();
  expect(after).toMatchObject({ path: 'c.txt', status: 'uploaded', attempts: 0, url: before?.url });
  expect(after?.reusedFrom).toBe(before?.id);
  expect((await place.read(['lookup', 'inbox/c.txt'])).stdout).toContain(`\n  reuses   ${before?.id}\n`);
  expect((await place.run(['trace', 'inbox/c.txt'])).stdout).toContain(
    `nothing sent, the upload of ${before?.id} stands for it`,
  );
  const csv = (await place.read(['manifest', 'export', '--format', 'csv'])).stdout.split('\r\n');
  expect(csv[0]).toMatch(/,reusedFrom,meta$/);
  expect(csv.find((line) => line.includes(',c.txt,'))).toMatch(new RegExp(`,${before?.id},$`));
});

test('sizes and existing: skip leave files where they are, each with its receipt; status shows balanced books', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const source = { existing: 'skip', minBytes: '1B', maxBytes: '10B', minAge: '500ms' };
  await place.config(inboxConfig(sandboxDestination(sandbox), { source }));
  await place.file('inbox/old.txt', 'lay there');
  expect((await place.run(ONCE)).code).toBe(0);
  await place.file('inbox/empty', '');
  await place.file('inbox/ok', 'ok');
  await place.file('inbox/large', 'x'.repeat(11));
  const changedMs = statSync(place.path('inbox/ok')).ctimeMs;
  expect((await place.run(ONCE)).code).toBe(0);
  const receipts = await place.receipts();
  expect(receipts.map(({ path, error }) => `${path} ${error?.code}`).sort()).toEqual([
    'empty empty',
    'large too_large',
    'ok undefined',
    'old.txt existing',
  ]);
  const ok = receipts.find(({ path }) => path === 'ok');
  expect(Date.parse(ok?.queuedAt ?? '') - changedMs).toBeGreaterThanOrEqual(499);
  expect(sandbox.summary().count).toBe(1);
  expect((await place.read(['status'])).stdout).toContain(
    '4 discovered = 1 uploaded + 0 failed + 3 skipped + 0 pending',
  );
});

test('kill -9 in the middle of the first pass: what lay there is skipped to the end, and what came since is sent', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox), { source: { existing: 'skip' } }));
  const FILES = 4_000;
  for (let index = 0; index < FILES; index += 1) await place.file(`inbox/${index % 40}/${index}`, 'old');
  mkdirSync(place.path('moved-in-later'));
  await place.file('moved-in-later/x', 'as old as the others');
  const cli = place.start(['run']);
  await place.recorded(1);
  cli.signal('SIGKILL');
  await cli.ended;
  const before = await place.receipts();
  expect(before.length).toBeLessThan(FILES);
  await place.file('inbox/while-dead', 'new');
  await place.file('inbox/3/3', 'edited');
  expect((await place.run(ONCE)).code).toBe(0);
  const uploaded = (receipts: readonly Receipt[]): string[] =>
    receipts.flatMap(({ path, status }) => (status === 'uploaded' ? [path] : [])).sort();
  const after = await place.receipts();
  expect(uploaded(after)).toEqual(['3/3', 'while-dead']);
  const skipped = after.filter(({ error }) => error?.code === 'existing').map(({ path }) => path);
  expect(new Set(skipped).size).toBe(skipped.length);
  expect(new Set(after.map(({ path }) => path)).size).toBe(FILES + 1);
  // The first pass is over: a folder that is moved in now is new, however old what is in it.
  renameSync(place.path('moved-in-later'), place.path('inbox/moved-in'));
  expect((await place.run(ONCE)).code).toBe(0);
  expect(uploaded(await place.receipts())).toEqual(['3/3', 'moved-in/x', 'while-dead']);
});
