import { expect, test } from 'vitest';
import { lastingTrouble } from '../../../src/redis/lasting-trouble.ts';
import { rememberingLog } from '../../support/record-rig.ts';

function rig() {
  const log = rememberingLog();
  let nowMs = 0;
  const target = { url: 'redis://h' };
  const trouble = lastingTrouble({ target, prefix: 'slipway', log, monotonicMs: () => nowMs });
  return {
    heard: (text: string, afterMs: number) => {
      nowMs += afterMs;
      trouble.heard(new Error(text));
    },
    said: () => log.lines.map(({ fields }) => fields.code),
    log,
  };
}

test('what lasts is said once for each kind, with its fix; what passes is not', () => {
  const { heard, said, log } = rig();
  heard('READONLY You cannot write', 0);
  heard('READONLY You cannot write', 1_000);
  expect(said()).toEqual([]);
  heard("OOM command not allowed when used memory > 'maxmemory'.", 0);
  heard('READONLY You cannot write', 2_500);
  for (let n = 0; n < 10; n += 1)
    heard("NOPERM User x has no permissions to run the 'evalsha' command", 15_000);
  heard("OOM command not allowed when used memory > 'maxmemory'.", 0);
  expect(said()).toEqual(['redis_replica', 'redis_forbidden']);
  expect(log.lines[1]?.message).toContain('ACL SETUSER default ~slipway:*');
});

test('what comes again after a minute of peace is said again', () => {
  const { heard, said } = rig();
  for (let round = 0; round < 2; round += 1) {
    heard('MISCONF Redis is configured to save RDB snapshots', 61_000);
    heard('MISCONF Redis is configured to save RDB snapshots', 4_000);
  }
  expect(said()).toEqual(['redis_refuses', 'redis_refuses']);
});

test('a lost connection, or an error of our own, is none of it', () => {
  const { heard, said } = rig();
  for (let n = 0; n < 5; n += 1) {
    heard('Connection is closed.', 5_000);
    heard('Missing lock for job f1-0. moveToFinished', 5_000);
  }
  expect(said()).toEqual([]);
});
