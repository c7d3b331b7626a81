/** What can be asked of what is recorded, and done with it: lookup, export, trace, resend, compact, import, after-actions. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import type { Receipt } from '../../src/domain/receipt.ts';
import type { Trace } from '../../src/operations/inspect/trace.ts';
import { STACK_TRACE } from '../support/cli.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination, type Workplace } from '../support/workplace.ts';

const ONCE = ['run', '--once'];

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function uploadedPlace(files: readonly string[], source: object = {}): Promise<Workplace> {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox), { source }));
  for (const name of files) await place.file(`inbox/${name}`, `content of ${name}`);
  expect((await place.run(ONCE)).code).toBe(0);
  return place;
}

async function jsonLines<T>(place: Workplace, args: readonly string[]): Promise<T[]> {
  const result = await place.read(args);
  expect(result.stderr).toBe('');
  return result.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

test('a receipt is found by its path on disk, as shown, by hash, by id and by URL; what is unknown exits 6', async () => {
  const place = await uploadedPlace(['a/b.txt', 'ü 文.txt']);
  const [wanted] = (await place.receipts()).filter(({ path }) => path === 'a/b.txt');
  if (wanted === undefined) throw new Error('not recorded');
  const queries = ['inbox/a/b.txt', place.path('inbox/a/b.txt'), 'a/b.txt', sha256('content of a/b.txt')];
  const known = [...queries, wanted.id, `${wanted.id}-0`, String(wanted.url)];
  const found = await Promise.all(known.map((query) => jsonLines(place, ['lookup', query, '--json'])));
  expect(found).toEqual(known.map(() => [wanted]));
  expect((await place.run(['lookup', 'ü 文.txt'])).stdout).toMatch(
    /^ü 文\.txt {2}uploaded {2}.*inbox → demo\n {2}url /,
  );
  const nothing = ['nothing.txt', `${wanted.id}-7`, '0'.repeat(64)];
  expect(await Promise.all(nothing.map((query) => place.read(['lookup', query])))).toMatchObject(
    nothing.map((query) => ({ code: 6, stdout: '', stderr: `slipway: nothing is recorded of ${query}\n` })),
  );
});

test('an export shows the latest of every file, filtered, in every format, to a file in one step', async () => {
  const place = await uploadedPlace(['a.txt', '=1+1.txt']);
  await place.file('inbox/a.txt', 'edited');
  expect((await place.run(ONCE)).code).toBe(0);
  expect(await place.receipts()).toHaveLength(3);
  const latest = await jsonLines<Receipt>(place, ['manifest', 'export']);
  expect(latest.map(({ path, bytes }) => [path, bytes]).sort()).toEqual([
    ['=1+1.txt', 19],
    ['a.txt', 6],
  ]);
  expect(await jsonLines(place, ['manifest', 'export', '--all'])).toHaveLength(3);
  const out = place.path('out.csv');
  const saved = await place.run([
    'manifest',
    'export',
    '--format',
    'csv',
    '--status',
    'uploaded',
    '--out',
    out,
  ]);
  expect([saved.code, saved.stdout, statSync(out).mode & 0o777]).toEqual([0, '', 0o600]);
  expect(readFileSync(out, 'utf8')).toContain("\r\ninbox,'=1+1.txt,uploaded,demo,");
  expect(
    JSON.parse((await place.read(['manifest', 'export', '--format', 'json', '--status', 'failed'])).stdout),
  ).toEqual([]);
  expect((await place.read(['manifest', 'export', '--since', '2100-01-01'])).stdout).toBe('');
  expect(await jsonLines(place, ['manifest', 'export', '--since', '1h'])).toHaveLength(2);
  expect((await place.read(['manifest', 'export', '--since', 'soon'])).code).toBe(2);
  expect((await place.read(['manifest', 'export', '--source', 'nobody'])).stderr).toContain(
    '--source takes one of inbox',
  );
});

test('a running process sends again what it is asked to; trace shows both generations', async () => {
  const place = await uploadedPlace(['a.txt', 'b.txt']);
  const running = place.start(['run']);
  await running.said('watching');
  const asked = await place.run(['resend', 'inbox/a.txt']);
  expect(asked).toMatchObject({ code: 0, stdout: `a.txt is sent again by process ${running.pid}\n` });
  const receipts = await place.recorded(3);
  expect(receipts.map(({ path, gen }) => `${path} ${gen}`).sort()).toEqual(['a.txt 0', 'a.txt 1', 'b.txt 0']);
  const [trace] = await jsonLines<Trace>(place, ['trace', 'inbox/a.txt', '--json']);
  expect(trace?.timeline.map(({ event }) => event)).toEqual([
    ...['seen', 'settled', 'queued', 'uploaded', 'recorded'],
    ...['seen', 'settled', 'queued', 'uploaded', 'recorded'],
  ]);
  expect(trace).toMatchObject({ source: 'inbox', queue: [], disk: { state: 'unchanged' } });
  const refused = await place.read(['manifest', 'compact']);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(`already being worked by process ${running.pid}`);
  running.signal('SIGTERM');
  expect((await running.ended).code).toBe(0);
});

test('without a process it waits for the next start; what is gone, changed or unknown is said', async () => {
  const place = await uploadedPlace(['a.txt', 'b.txt', 'gone.txt', 'changed.txt']);
  rmSync(place.path('inbox/gone.txt'));
  writeFileSync(place.path('inbox/changed.txt'), 'is another now');
  expect(await place.read(['resend', 'inbox/gone.txt'])).toMatchObject({
    code: 6,
    stderr: 'slipway: gone.txt: it is not on disk any more: put the file back first\n',
  });
  expect(await place.read(['resend', 'inbox/changed.txt'])).toMatchObject({
    code: 0,
    stderr: 'slipway: changed.txt: it has changed since: the new version is sent by itself\n',
  });
  expect((await place.read(['resend', 'inbox/never.txt'])).code).toBe(6);
  expect((await place.read(['resend'])).code).toBe(2);
  expect((await place.read(['resend', 'inbox/a.txt', '--to', 'nowhere'])).code).toBe(2);

  const [asked] = await jsonLines(place, ['resend', '--source', 'inbox', '--to', 'demo', '--json']);
  expect(asked).toEqual({ kind: 'asked', source: 'inbox', path: null, files: 4, owner: null });
  expect((await place.run(ONCE)).code).toBe(0);
  expect((await place.run(ONCE)).code).toBe(0);
  const sent = (await place.receipts()).slice(4).map(({ path, gen }) => `${path} ${gen}`);
  expect(sent.sort()).toEqual(['a.txt 1', 'b.txt 1', 'changed.txt 0']);
});

test('a file that waits for its next try is traced with its attempts; Redis is never started for it', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({
    faults: [{ api: 'autoglm', action: 'status', status: 503 }],
  });
  await place.config(inboxConfig(sandboxDestination(sandbox), { source: { ignore: ['private/'] } }));
  await place.file('inbox/a.txt', 'a');
  await place.file('inbox/private/b.txt', 'b');
  const running = place.start(['run']);
  await running.said('watching');
  const tracesOf = (path: string): Promise<Trace[]> => jsonLines<Trace>(place, ['trace', path, '--json']);
  await vi.waitFor(
    async () => {
      const [trace] = await tracesOf('inbox/a.txt');
      expect(trace?.timeline.map(({ event }) => event)).toContain('attempt');
    },
    { timeout: 20_000, interval: 200 },
  );
  const [trace] = await tracesOf('inbox/a.txt');
  expect(trace?.timeline.slice(0, 3).map(({ event }) => event)).toEqual(['seen', 'settled', 'queued']);
  expect(trace?.queue).toHaveLength(1);
  expect(trace?.timeline.find(({ event }) => event === 'attempt')?.detail).toContain('HTTP 503');
  const [ignored] = await tracesOf('inbox/private/b.txt');
  expect(ignored?.disk).toEqual({ state: 'ignored', detail: 'the pattern private/ of `ignore` matches' });
  running.signal('SIGINT');
  running.signal('SIGINT');
  await running.ended;
  const [after] = await tracesOf('inbox/a.txt');
  expect(after).toMatchObject({ queue: null, timeline: [] });
  expect(place.redisServers()).toEqual([]);
});

test('what was tried before a file went through is told long after, also by a rebuilt or compacted manifest', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({
    faults: [
      { api: 'autoglm', operation: 'upload', action: '500', times: 1 },
      { api: 'autoglm', operation: 'upload', action: '429', retryAfter: 0, times: 1 },
    ],
  });
  await place.config(inboxConfig(sandboxDestination(sandbox), { retry: { baseDelay: '50ms' } }));
  await place.file('inbox/a.txt', 'a');
  expect((await place.run(ONCE)).code).toBe(0);
  const [told] = await jsonLines<Trace>(place, ['trace', 'inbox/a.txt', '--json']);
  expect(told?.timeline.map(({ event, detail }) => (event === 'attempt' ? detail : event))).toEqual([
    ...['seen', 'settled', 'queued'],
    ...['HTTP 500 unavailable', 'HTTP 429 throttled', 'uploaded', 'recorded'],
  ]);
  const text = (await place.read(['trace', 'inbox/a.txt'])).stdout;
  expect(text).toMatch(/Z {2}seen {6}this version of it\n.*Z {2}settled {3}.*\n.*Z {2}queued/);
  for (const upkeep of ['compact', 'rebuild']) {
    expect((await place.read(['manifest', upkeep])).code).toBe(0);
    const [after] = await jsonLines<Trace>(place, ['trace', 'inbox/a.txt', '--json']);
    expect(after?.timeline).toEqual(told?.timeline);
  }
});

test('compacted, rebuilt and imported, a manifest still knows what was uploaded', async () => {
  const place = await uploadedPlace(['a.txt', 'b.txt']);
  await place.read(['resend', '--source', 'inbox']);
  expect((await place.run(ONCE)).code).toBe(0);
  expect(await place.receipts()).toHaveLength(4);
  const compacted = await jsonLines<object>(place, ['manifest', 'compact', '--json']);
  expect(compacted).toEqual([expect.objectContaining({ source: 'inbox', dropped: 2 })]);
  expect((await place.receipts()).map(({ gen }) => gen)).toEqual([1, 1]);
  expect((await place.read(['manifest', 'rebuild'])).stdout).toMatch(
    /^inbox: receipts 2, previous .*ledger\.old\n$/,
  );
  expect((await place.run(ONCE)).code).toBe(0);
  expect(await place.receipts()).toHaveLength(2);

  // Another machine with the same files and the journal of this one.
  const journal = readFileSync(place.path('inbox.manifest.jsonl'));
  rmSync(place.path('data'), { recursive: true });
  rmSync(place.path('inbox.manifest.jsonl'));
  writeFileSync(place.path('theirs.jsonl'), journal);
  const imported = await place.run(['manifest', 'import', 'theirs.jsonl']);
  expect(imported.stdout).toBe('inbox: from inbox, added 2, known 0\n');
  expect((await place.run(ONCE)).code).toBe(0);
  expect(await place.receipts()).toHaveLength(2);
  const missing = await place.read(['manifest', 'import', 'nowhere.jsonl']);
  expect(missing.code).toBe(2);
  expect(missing.stderr).not.toMatch(STACK_TRACE);
});

test('files are moved out of the way once recorded, and one that comes back is sent again', async () => {
  const place = await uploadedPlace(['sub/a.txt', 'b.txt'], { onSuccess: { moveTo: './inbox/done' } });
  expect(readdirSync(place.path('inbox')).sort()).toEqual(['done', 'sub']);
  expect(readFileSync(place.path('inbox/done/sub/a.txt'), 'utf8')).toBe('content of sub/a.txt');
  const [first] = (await place.receipts()).filter(({ path }) => path === 'b.txt');
  // The very same version: name, size and time.
  await place.file('inbox/b.txt', 'content of b.txt');
  const at = statSync(place.path('inbox/done/b.txt'));
  utimesSync(place.path('inbox/b.txt'), at.atimeMs / 1_000, at.mtimeMs / 1_000);
  expect((await place.run(ONCE)).code).toBe(0);
  const again = (await place.receipts()).filter(({ path }) => path === 'b.txt');
  expect(again).toHaveLength(2);
  expect(again[0]).toEqual(first);
  expect(existsSync(place.path('inbox/b.txt'))).toBe(false);
  expect((await place.run(ONCE)).code).toBe(0);
  expect(await place.receipts()).toHaveLength(3);
});

test('deleting is warned about at the start, and leaves what failed', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({
    faults: [{ api: 'autoglm', action: 'code', code: 400001, filename: 'bad.txt' }],
  });
  const source = { onSuccess: 'delete', onFailure: { moveTo: './failed' } };
  await place.config(inboxConfig(sandboxDestination(sandbox), { source }));
  for (const name of ['a.txt', 'b.txt', 'bad.txt']) await place.file(`inbox/${name}`, name);
  const result = await place.run(ONCE);
  expect(result.code).toBe(6);
  expect(result.stderr).toContain('source inbox deletes files after their upload');
  expect(readdirSync(place.path('inbox'))).toEqual([]);
  expect(readdirSync(place.path('failed'))).toEqual(['bad.txt']);
});
