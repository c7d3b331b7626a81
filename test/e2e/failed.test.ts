/** Dead letters: listed by reason, sent again with or without a running process, given up, fetched back. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import type { Receipt } from '../../src/domain/receipt.ts';
import type { Status } from '../../src/operations/inspect/status.ts';
import type { FaultPlan } from '../../src/sandbox/trouble/fault-rule.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination, type Workplace } from '../support/workplace.ts';

const ONCE = ['run', '--once'];

/** Refused once each. */
function refusing(...names: readonly string[]): FaultPlan {
  return names.map((filename) => ({ api: 'autoglm', action: 'code', code: 400001, filename, times: 1 }));
}

async function placeWith(faults: FaultPlan, source: object = {}): Promise<Workplace> {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({ faults });
  const retry = { baseDelay: '20ms', maxDelay: '100ms' };
  await place.config(inboxConfig(sandboxDestination(sandbox), { source, retry }));
  return place;
}

async function listed(place: Workplace, ...args: readonly string[]): Promise<string[]> {
  const { code, stdout } = await place.read(['failed', 'list', '--json', ...args]);
  expect(code).toBe(0);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => (JSON.parse(line) as Receipt).path).sort();
}

async function deadIn(place: Workplace): Promise<number | undefined> {
  const { stdout } = await place.read(['status', '--json']);
  return (JSON.parse(stdout) as Status).sources[0]?.dead;
}

test('without a process: listed by reason, given up for good, and sent again by the next run', async () => {
  const place = await placeWith(refusing('a.txt', 'b.txt', 'odd.txt'));
  for (const name of ['fine.txt', 'bad/a.txt', 'bad/b.txt', 'odd.txt'])
    await place.file(`inbox/${name}`, name);
  const nothing = await place.read(['failed', 'list']);
  expect(nothing).toMatchObject({ code: 0, stdout: 'nothing has failed for good\n' });
  expect((await place.run(ONCE)).code).toBe(6);

  const { stdout, code } = await place.read(['failed', 'list']);
  expect(code).toBe(0);
  const [reason, fix, blank, ...paths] = stdout.trimEnd().split('\n');
  expect(reason).toMatch(/^3 files rejected \(HTTP 200\): .*code 400001/);
  expect(fix).toMatch(
    /^ {2}correct the file: its new version is sent by itself; or .*slipway failed discard --code rejected/,
  );
  expect([blank, paths.sort()]).toEqual([
    '',
    ['inbox  bad/a.txt  rejected', 'inbox  bad/b.txt  rejected', 'inbox  odd.txt  rejected'],
  ]);
  expect(await listed(place, '--match', 'bad/**')).toEqual(['bad/a.txt', 'bad/b.txt']);
  expect(await listed(place, '--code', 'crashed_worker')).toEqual([]);
  expect((await place.read(['failed', 'list', '--source', 'nobody'])).code).toBe(2);

  const givenUp = await place.run(['failed', 'discard', '--match', 'odd.txt']);
  expect(givenUp).toMatchObject({ code: 0, stdout: 'inbox: 1 file is given up\n' });
  expect(await listed(place)).toEqual(['bad/a.txt', 'bad/b.txt']);
  expect(await deadIn(place)).toBe(2);
  expect(await place.receipts()).toHaveLength(4);

  const asked = await place.read(['failed', 'retry', '--match', 'bad/a.txt']);
  expect(asked).toMatchObject({ code: 0, stdout: 'inbox: 1 file goes again at the next slipway run\n' });
  expect((await place.read(['failed', 'list'])).stdout).toContain('bad/a.txt  rejected  (goes again)');
  // The other one is a dead letter still.
  expect((await place.run(ONCE)).code).toBe(6);
  const [again, ...more] = (await place.receipts()).slice(4);
  expect([again?.path, again?.gen, again?.status, more]).toEqual(['bad/a.txt', 1, 'uploaded', []]);

  // What was given up stays so, whatever is done with the record.
  for (const upkeep of ['compact', 'rebuild']) {
    expect((await place.run(['manifest', upkeep])).code).toBe(0);
    expect(await listed(place)).toEqual(['bad/b.txt']);
  }
  const none = await place.read(['failed', 'retry', '--code', 'timeout']);
  expect(none).toMatchObject({ code: 0, stdout: 'nothing that failed is meant by this\n' });
  // A new version of a file goes as any, whether it was given up or not.
  for (const name of ['bad/b.txt', 'odd.txt']) await place.file(`inbox/${name}`, 'another');
  expect((await place.run(ONCE)).code).toBe(0);
  expect(await deadIn(place)).toBe(0);
});

test('a running process sends again what it is asked to, and gives up what it is told', async () => {
  const place = await placeWith(refusing('a.txt', 'b.txt'));
  for (const name of ['fine.txt', 'a.txt', 'b.txt']) await place.file(`inbox/${name}`, name);
  const running = place.start(['run']);
  await place.recorded(3);
  await vi.waitFor(async () => expect(await deadIn(place)).toBe(2), { timeout: 20_000, interval: 200 });
  const asked = await place.read(['failed', 'retry', '--match', 'a.txt', '--json']);
  expect(JSON.parse(asked.stdout)).toMatchObject({
    source: 'inbox',
    letters: 1,
    missing: 0,
    owner: { pid: running.pid },
  });
  const [receipt] = (await place.recorded(4)).slice(3);
  expect(receipt).toMatchObject({ path: 'a.txt', gen: 1, status: 'uploaded' });
  expect((await place.read(['failed', 'discard'])).stdout).toBe('inbox: 1 file is given up\n');
  expect(await listed(place)).toEqual([]);
  running.signal('SIGTERM');
  expect((await running.ended).code).toBe(0);
  expect(await listed(place)).toEqual([]);
});

test('only what failed for good is moved away, and a retry fetches it back without overwriting anything', async () => {
  const place = await placeWith(
    [
      ...refusing('a.txt', 'b.txt', 'c.txt', 'd.txt'),
      { api: 'autoglm', action: '503', filename: 'slow.txt', times: 2 },
    ],
    { onFailure: { moveTo: './failed' } },
  );
  for (const name of ['fine.txt', 'slow.txt', 'sub/a.txt', 'b.txt', 'c.txt', 'd.txt'])
    await place.file(`inbox/${name}`, `content of ${name}`);
  await place.file('inbox/empty.txt', '');
  await place.file('failed/b.txt', 'was here before');
  expect((await place.run(ONCE)).code).toBe(6);
  expect(readdirSync(place.path('failed')).sort()).toEqual(['b-2.txt', 'b.txt', 'c.txt', 'd.txt', 'sub']);
  expect(readdirSync(place.path('inbox')).sort()).toEqual(['empty.txt', 'fine.txt', 'slow.txt', 'sub']);

  writeFileSync(place.path('inbox/c.txt'), 'another one has come');
  rmSync(place.path('failed/d.txt'));
  const list = (await place.read(['failed', 'list'])).stdout;
  expect(list).toContain(`inbox  b.txt  rejected  (lies at ${place.path('failed/b-2.txt')})`);
  expect(list).toContain('inbox  d.txt  rejected  (not on disk)');
  expect(list).toContain('inbox  c.txt  rejected  (another version lies there now, and is sent by itself)');
  const asked = await place.run(['failed', 'retry']);
  expect(asked.stdout).toBe(
    [
      'inbox: 4 files go again at the next slipway run',
      '  2 of them had been moved away and put back where they were',
      '  1 of them cannot be sent from where they are now:',
      `    d.txt: it is neither there nor in ${place.path('failed')}: it is sent once it is put back`,
      '',
    ].join('\n'),
  );
  expect(readFileSync(place.path('inbox/sub/a.txt'), 'utf8')).toBe('content of sub/a.txt');
  expect(readFileSync(place.path('inbox/c.txt'), 'utf8')).toBe('another one has come');
  expect(readFileSync(place.path('failed/b.txt'), 'utf8')).toBe('was here before');
  expect(existsSync(place.path('failed/c.txt'))).toBe(true);
  // `d.txt` is still a dead letter.
  expect((await place.run(ONCE)).code).toBe(6);
  const sent = (await place.receipts()).slice(7).map(({ path, gen, status }) => `${path} ${gen} ${status}`);
  expect(sent.sort()).toEqual(['b.txt 1 uploaded', 'c.txt 0 uploaded', 'sub/a.txt 1 uploaded']);
  expect(await listed(place)).toEqual(['d.txt']);
});
