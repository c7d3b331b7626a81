/** An owner goes on at another host: what the first one left behind runs out, and is waited for. */
import { lutimesSync, mkdirSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { exitCodeOf } from '../../../src/cli/exit-codes.ts';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { hostIdentity } from '../../../src/platform/process/process-identity.ts';
import { sourceKey } from '../../../src/redis/queue-key.ts';
import { takeOver } from '../../../src/runtime/owner/when-free.ts';
import { rememberingLog } from '../../support/record-rig.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { autoglm, drain, GIVE_UP_MS, never } from '../../support/run-steps.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

const ELSEWHERE = { host: 'host-a pid:[4026531836]', pid: 4711, startTime: '99' };

/** As a host that was cut off a moment ago leaves them: its lease, and its lock on the journal. */
async function leaveBehind(rig: RunRig, leaseMs: number, journalSilentMs: number): Promise<void> {
  const key = sourceKey('slipway', 'inbox', 'owner');
  await rig.redis.connect().set(key, JSON.stringify(ELSEWHERE), 'PX', leaseMs);
  const beside = dirname(rig.plan().manifest);
  const [name = ''] = readdirSync(beside).filter((entry) => entry.startsWith('.slipway-lock-'));
  const folder = join(beside, name);
  mkdirSync(folder, { recursive: true });
  const [lock = 'lock.1'] = readdirSync(folder)
    .filter((entry) => entry.startsWith('lock.'))
    .sort()
    .slice(-1);
  const next = join(folder, `lock.${Number(lock.slice('lock.'.length)) + 1}`);
  const holder = {
    dataDir: rig.dataDir,
    source: 'inbox',
    host: 'host-a',
    pids: ELSEWHERE.host,
    process: '4711-99',
  };
  symlinkSync(JSON.stringify(holder), next);
  expect(readlinkSync(next)).toContain('host-a');
  const heard = (Date.now() - journalSilentMs) / 1_000;
  lutimesSync(next, heard, heard);
}

test('a start on another host waits for lease and journal of one that is gone, says so once, and needs no second try', async () => {
  const sandbox = await sandboxForTest();
  const rig = await runRig({ definition: autoglm(sandbox) });
  rig.files(3);
  await drain(rig);
  rig.file('new.txt');
  await leaveBehind(rig, 2_000, 16_000);
  const begunMs = performance.now();
  const run = await rig.start();
  // Neither was taken from somebody who might live.
  expect(performance.now() - begunMs).toBeGreaterThan(1_900);
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(sandbox.summary().count).toBe(4);
  const said = rig.log.lines.filter(({ message }) => message.includes('waiting up to 25 s'));
  expect(said).toMatchObject([{ level: 'info', fields: { source: 'inbox', pid: 4711 } }]);
});

test('one of this host is refused at once with 2, one of another that lives with 5 after the wait', async () => {
  const log = rememberingLog();
  const { whenFree } = takeOver({ source: 'inbox', host: hostIdentity(), log, forMs: 300 });
  const here = vi.fn(() => {
    throw new SlipwayError('source_owned', { source: 'inbox', pid: 1, host: hostIdentity() });
  });
  const refused = await whenFree(here).catch((error: unknown) => error);
  expect(exitCodeOf(refused)).toBe(2);
  expect(here).toHaveBeenCalledTimes(1);
  expect(log.lines).toEqual([]);

  const there = vi.fn(() => {
    throw new SlipwayError('source_owned', { source: 'inbox', pid: 4711, host: 'host-a' });
  });
  const late = await whenFree(there).catch((error: unknown) => error);
  expect(exitCodeOf(late)).toBe(5);
  expect(String(late)).toMatch(/process 4711 on host-a: stop that one first.*still heard of/);
  expect(there.mock.calls.length).toBeGreaterThan(1);
  expect(log.lines).toHaveLength(1);
  // The wait is over for whatever is taken after it.
  await expect(whenFree(there)).rejects.toMatchObject({ code: 'owned_elsewhere' });
});
