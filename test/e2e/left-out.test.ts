/** What is not sent is said: how many, why, and by name; and whatever keeps a run from its end has one. */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { boundUser, canBeBound } from '../support/another-user.ts';
import { logLines } from '../support/cli.ts';
import { ingestPlace } from '../support/ingest-place.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination, type Workplace } from '../support/workplace.ts';

interface Manifest {
  readonly leftOut?: readonly { readonly path: string; readonly reason: string }[];
}

function messages(stderr: string): string[] {
  return logLines(stderr).map(({ msg }) => String(msg));
}

async function demoPlace(source: object = {}): Promise<Workplace> {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const config = inboxConfig(sandboxDestination(sandbox)) as { sources: { inbox: object } };
  Object.assign(config.sources.inbox, source);
  await place.config(config);
  return place;
}

test('run --once and ingest end by saying how many were left alone and why; the manifest of the batch names them', async () => {
  const { place } = await ingestPlace();
  for (const name of ['a.txt', 'b.tmp', '.hidden/c.txt', '.d']) await place.file(`docs/${name}`, name);
  const run = await place.run(['run', 'docs', '--to', 'demo', '--once']);
  expect(run.code).toBe(0);
  expect(messages(run.stderr).at(-1)).toBe('1 uploaded; 3 left alone: 2 hidden, 1 junk');

  await place.file('docs/new.txt', 'new');
  const list = 'a.txt\nb.tmp\ngone.txt\n.d\nnew.txt\n';
  const ingest = await place.run(['ingest', 'docs', '--files-from', '-', '--to', 'demo', '--json'], {
    input: list,
  });
  expect(ingest.code).toBe(6);
  const said = messages(ingest.stderr).filter((text) => text.includes('left'));
  expect(said).toEqual([
    'b.tmp: it is on the built-in list of junk (temporary files, thumbnails, swap files); left out',
    'gone.txt: there is no such file; left out',
    '.d: its name, or a folder above it, begins with a dot (hidden: false); left out',
    '2 left alone: 1 junk, 1 hidden (named in the manifest)',
  ]);
  const outcome = JSON.parse(ingest.stdout.trimEnd().split('\n').at(-1) ?? '{}') as {
    leftAlone: object;
    parts: { manifest: string }[];
  };
  expect(outcome.leftAlone).toEqual({ junk: 1, hidden: 1 });
  const manifest = JSON.parse(readFileSync(outcome.parts[0]?.manifest ?? '', 'utf8')) as Manifest;
  expect(manifest.leftOut).toEqual([
    { path: 'b.tmp', reason: 'junk' },
    { path: 'gone.txt', reason: 'missing' },
    { path: '.d', reason: 'hidden' },
  ]);
});

test('a list on stdin leaves its manifest with the data, not beside whatever folder it was typed in', async () => {
  const { place, sandbox } = await ingestPlace();
  await place.file('work/a.txt', 'a');
  const config = ['--config', place.path('slipway.yaml')];
  const args = ['ingest', '--files-from', '-', '--to', 'demo', ...config];
  for (let times = 0; times < 2; times += 1)
    expect((await place.run(args, { input: 'a.txt\n', cwd: place.path('work') })).code).toBe(0);
  expect(await place.receipts(place.path('work.manifest.jsonl'))).toEqual([]);
  expect(await place.receipts(place.path('data/sources/work/work.manifest.jsonl'))).toHaveLength(1);
  // Whoever runs the folder later goes on with it.
  expect((await place.run(['run', 'work', '--to', 'demo', '--once'])).code).toBe(0);
  expect(sandbox.summary().count).toBe(1);
});

test('a folder that may not be entered is said as such, with the uid; a parent that may not be written is no obstacle', async ({
  skip,
}) => {
  if (!canBeBound()) skip('setpriv cannot run node as another user here');
  const place = await demoPlace();
  await place.file('fixed/docs/a.txt', 'a');
  const { uid, through } = boundUser(place.folder);
  chmodSync(place.path('fixed'), 0o555);
  const args = ['run', 'fixed/docs', '--to', 'demo', '--once'];
  expect((await place.run(args, { through })).code).toBe(0);
  expect(await place.receipts(place.path('data/sources/docs/docs.manifest.jsonl'))).toHaveLength(1);
  chmodSync(place.path('fixed/docs'), 0);
  for (const command of [args, ['ingest', 'fixed/docs', '--to', 'demo']]) {
    const refused = await place.run(command, { through });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(`it belongs to uid ${uid} with mode 0000, and this is uid ${uid}`);
  }
  chmodSync(place.path('fixed'), 0o755);
});

test('what cannot be read is said by name, and once it may be read it goes by itself', async ({ skip }) => {
  if (!canBeBound()) skip('setpriv cannot run node as another user here');
  const place = await demoPlace();
  await place.file('inbox/open.txt', 'o');
  await place.file('inbox/closed.txt', 'c');
  await place.file('inbox/sub/in.txt', 'i');
  const { through } = boundUser(place.folder);
  chmodSync(place.path('inbox/closed.txt'), 0);
  chmodSync(place.path('inbox/sub'), 0);
  const first = await place.run(['run', '--once'], { through });
  expect(first.code).toBe(6);
  expect(messages(first.stderr).filter((text) => text.startsWith('sub: it cannot be read'))).toHaveLength(1);
  // Nobody has changed anything: nothing is tried again, and the dead letter is still there.
  expect((await place.run(['run', '--once'], { through })).code).toBe(6);
  expect(await place.receipts()).toHaveLength(2);
  chmodSync(place.path('inbox/closed.txt'), 0o644);
  chmodSync(place.path('inbox/sub'), 0o755);
  expect((await place.run(['run', '--once'], { through })).code).toBe(0);
  const ends = (await place.receipts()).map(({ path, gen, status }) => `${path} ${gen} ${status}`).sort();
  expect(ends).toEqual([
    'closed.txt 0 failed',
    'closed.txt 1 uploaded',
    'open.txt 0 uploaded',
    'sub/in.txt 0 uploaded',
  ]);
});

test('run --once ends though a file keeps growing: after 30 s it is named, and the exit code is 5', async () => {
  const place = await demoPlace({ settle: '1s' });
  await place.file('inbox/a.txt', 'a');
  await place.file('inbox/growing.log', '');
  const timer = setInterval(() => appendFileSync(place.path('inbox/growing.log'), 'more\n'), 200);
  onTestFinished(() => clearInterval(timer));
  const { code, stderr } = await place.run(['run', '--once']);
  expect(code).toBe(5);
  expect(messages(stderr)).toContain('growing.log: it is still being written; left for the next run');
  expect((await place.receipts()).map(({ path }) => path)).toEqual(['a.txt']);
});

test('a signal while nothing is in flight ends with 0 and says how many files wait', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({ faults: [{ api: 'autoglm', action: '503' }] });
  await place.config(
    inboxConfig(sandboxDestination(sandbox), { retry: { baseDelay: '60s', maxDelay: '60s' } }),
  );
  for (let index = 0; index < 5; index += 1) await place.file(`inbox/${index}.txt`, 'x');
  const cli = place.start(['run', '--once', '--give-up', '10m']);
  await vi.waitFor(() => expect(sandbox.summary().requests).toBeGreaterThanOrEqual(5), { timeout: 30_000 });
  await vi.waitFor(() => expect(sandbox.summary().uploadsInFlight).toBe(0), { timeout: 30_000 });
  cli.signal('SIGTERM');
  const { code, stderr } = await cli.ended;
  expect(code).toBe(0);
  expect(messages(stderr)).toContain('5 files wait for the next start');
  expect(stderr).not.toContain('unexpected');
});

test('existing: skip says one line for all, and a folder renamed under its waiting files is one line too', async () => {
  const place = await demoPlace({ existing: 'skip' });
  for (let index = 0; index < 30; index += 1) await place.file(`inbox/${index}.txt`, 'x');
  const { code, stderr } = await place.run(['run', '--once']);
  expect(code).toBe(0);
  const about = messages(stderr).filter((text) => text.includes('skipped'));
  expect(about.sort()).toEqual([
    '0 uploaded, 30 skipped',
    '30 files lay there before the first start: skipped (existing: skip)',
  ]);

  await place.run(['pause', 'demo']);
  const cli = place.start(['run']);
  mkdirSync(place.path('inbox/old'));
  for (let index = 0; index < 10; index += 1) writeFileSync(place.path(`inbox/old/${index}.txt`), 'y');
  await vi.waitFor(
    async () => {
      const { stdout } = await place.run(['status', '--json']);
      expect(stdout).toMatch(/"(pending|waiting)":10\b/);
    },
    { timeout: 30_000 },
  );
  renameSync(place.path('inbox/old'), place.path('inbox/new'));
  await place.run(['resume', 'demo']);
  await place.recorded(50);
  cli.signal('SIGTERM');
  const lines = messages((await cli.ended).stderr);
  expect(lines.filter((text) => text.includes('went away'))).toEqual([
    '10 files of old went away before they were sent: skipped',
  ]);
});

test('two ingests of one source at the same moment: one does the work of both', async () => {
  const { place, sandbox } = await ingestPlace();
  for (let index = 0; index < 20; index += 1) await place.file(`docs/${index}.txt`, `${index}`);
  const args = ['ingest', 'docs', '--to', 'demo'];
  const ended = await Promise.all([0, 1, 2].map(() => place.run(args)));
  expect(ended.map(({ code, stderr }) => [code, code === 0 ? '' : stderr])).toEqual([
    [0, ''],
    [0, ''],
    [0, ''],
  ]);
  expect(sandbox.summary()).toMatchObject({ count: 20, repeated: 0 });
});

test('too few file handles are said, and --once ends with 5', async () => {
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 500 } });
  const place = await newWorkplace();
  const concurrency = { initial: 60, max: 60, adaptive: false };
  await place.config(inboxConfig(sandboxDestination(sandbox, { concurrency })));
  for (let index = 0; index < 100; index += 1) await place.file(`inbox/${index}.txt`, 'x');
  const { code, stderr } = await place.run(['run', '--once', '--give-up', '3s'], {
    through: (command) => ['sh', '-c', 'ulimit -n 64; exec "$@"', 'sh', ...command],
  });
  expect([code, stderr]).toEqual([5, expect.stringContaining('ulimit -n')]);
});
