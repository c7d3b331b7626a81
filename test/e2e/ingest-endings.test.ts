/** How `slipway ingest` ends when something is in the way, and what it says before anything is sent. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { errorLine } from '../support/cli.ts';
import { startHttpServer } from '../support/http-server.ts';
import { batchOf, ingestPlace } from '../support/ingest-place.ts';
import { inboxConfig, newWorkplace } from '../support/workplace.ts';
import { zipBytes } from '../support/zip-bytes.ts';

test('refused credentials end it with 7 and keep the batch', async () => {
  const { place, sandbox } = await ingestPlace({
    faults: [{ api: 'autoglm', action: 'code', code: 400000 }],
  });
  await place.file('docs/a.txt', 'a');
  const stopped = await place.run(['ingest', 'docs', '--to', 'demo', '--json']);
  expect(stopped.code).toBe(7);
  expect(batchOf(stopped)).toMatchObject({ state: 'incomplete', counts: { discovered: 1, uploaded: 0 } });
  sandbox.clearFaults();
  const resumed = await place.run(['ingest', '--resume', batchOf(stopped).batch, '--json']);
  expect(resumed.code).toBe(0);
});

test('a public destination is asked about with the files and bytes of the batch, before anything starts', async () => {
  const place = await newWorkplace();
  const tokens = await startHttpServer(({ response }) => void response.end('some-token'));
  await place.config(
    inboxConfig({ preset: 'autoglm', url: 'http://files.invalid/upload', token: { url: tokens.origin } }),
  );
  await place.file('a.zip', zipBytes([{ name: 'a.txt', content: 'twelve bytes' }]));
  const refused = await place.run(['ingest', 'a.zip', '--to', 'demo']);
  expect(refused.code).toBe(2);
  expect(errorLine(refused)).toMatch(/readable by anyone.*1 files, 12 B.*--yes/);
  expect(tokens.visits()).toBe(0);
  expect(place.redisServers()).toEqual([]);
});

test('while a batch goes on in the background, --resume follows it to its end and sends nothing itself', async () => {
  // It cannot end before somebody follows it.
  const { place, sandbox } = await ingestPlace(
    { faults: [{ api: 'autoglm', operation: 'upload', action: '503', after: 5 }] },
    {
      worker: { concurrency: { initial: 2, max: 2, adaptive: false } },
      retry: { baseDelay: '20ms', maxDelay: '50ms' },
    },
  );
  for (let index = 0; index < 30; index += 1) await place.file(`docs/${index}.txt`, `${index}`);
  const detached = await place.run(['ingest', 'docs', '--to', 'demo', '--detach', '--json']);
  const { batch } = JSON.parse(detached.stdout) as { batch: string };
  const journal = place.path('docs.manifest.jsonl');
  await vi.waitFor(async () => expect((await place.receipts(journal)).length).toBeGreaterThan(0), {
    timeout: 30_000,
    interval: 20,
  });
  const following = place.start(['ingest', '--resume', batch, '--json']);
  await following.said('is worked on by a running process');
  sandbox.clearFaults();
  const followed = await following.ended;
  expect(followed.code).toBe(0);
  expect(batchOf(followed)).toMatchObject({ state: 'completed', counts: { discovered: 30, uploaded: 30 } });
  expect(sandbox.summary().count).toBe(30);
  // It leaves its private Redis in order, a moment after its batch has ended.
  await vi.waitFor(() => expect(place.redisServers()).toEqual([]), { timeout: 30_000, interval: 50 });
});

test.each([
  [['ingest'], /Give a PATH/],
  [['ingest', 'docs', 'a.zip', '--to', 'demo', '--manifest', 'm.json'], /--manifest goes with one source/],
  [['ingest', 'docs', '--source', 'inbox'], /is not in the folder of source inbox/],
  [['ingest', 'plain.txt', '--to', 'demo'], /neither a folder nor a \.zip.*--files-from/],
  [['ingest', '--resume', 'b20260101T000000Z-000000'], /there is no batch b20260101T000000Z-000000/],
])('%j is a mistake that is named, with 2', async (args, message) => {
  const { place } = await ingestPlace();
  await place.file('docs/a.txt', 'a');
  await place.file('plain.txt', 'a');
  await place.file('a.zip', zipBytes([]));
  const result = await place.run(args);
  expect(result.code).toBe(2);
  expect(errorLine(result)).toMatch(message);
  expect(existsSync(place.path('data', 'redis'))).toBe(false);
});

test('--manifest puts the manifest of the batch where it is wanted, and it is never sent', async () => {
  const { place, sandbox } = await ingestPlace();
  await place.file('docs/a.txt', 'a');
  const args = ['ingest', 'docs', '--to', 'demo', '--json', '--manifest', 'docs/result.json'];
  for (let times = 0; times < 2; times += 1) {
    const batch = batchOf(await place.run(args));
    expect(batch.counts).toMatchObject({ discovered: 1 });
    expect(batch.parts[0]?.manifest).toBe(place.path('docs', 'result.json'));
  }
  expect(existsSync(place.path('docs', 'result.jsonl'))).toBe(true);
  expect(sandbox.summary().count).toBe(1);
});

test('where nothing may be written beside the folder the journal lies with the data, and is found there again', async ({
  skip,
}) => {
  const { place, sandbox } = await ingestPlace();
  await place.file('fixed/docs/a.txt', 'a');
  const isRoot = process.getuid?.() === 0;
  const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  // Root writes everywhere, so the CLI runs as nobody.
  if (isRoot) {
    const probe = [...asNobody.slice(1), process.execPath, '--version'];
    if (!canRun('setpriv', probe)) skip('setpriv cannot run node as another user here');
    execFileSync('chown', ['-R', '65534:65534', place.folder]);
  }
  await chmod(place.path('fixed'), 0o555);
  const through = (command: readonly string[]) => (isRoot ? [...asNobody, ...command] : command);
  const args = ['ingest', 'fixed/docs', '--to', 'demo', '--json'];
  for (let times = 0; times < 2; times += 1) {
    const result = await place.run(args, { through });
    expect(result.code, result.stderr).toBe(0);
  }
  await chmod(place.path('fixed'), 0o755);
  // Also once it could be written: what is recorded is recorded there.
  expect((await place.run(args, { through })).code).toBe(0);
  expect(sandbox.summary().count).toBe(1);
  const journal = place.path('data/sources/docs/docs.manifest.jsonl');
  expect(await place.receipts(journal)).toHaveLength(1);
  const lookup = await place.run(['lookup', 'a.txt', '--json'], { through });
  expect(JSON.parse(lookup.stdout)).toMatchObject({ path: 'a.txt', status: 'uploaded' });
});

function canRun(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
