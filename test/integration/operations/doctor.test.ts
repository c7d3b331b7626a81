import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { tryEvents } from '../../../src/intake/watch/event-canary.ts';
import { tryFolder } from '../../../src/intake/watch/folder-trial.ts';
import { examineDisks } from '../../../src/operations/doctor/doctor-disk.ts';
import { examineFolder } from '../../../src/operations/doctor/doctor-folder.ts';
import { examineRedis } from '../../../src/operations/doctor/doctor-redis.ts';
import { adHocPlanOf } from '../../../src/runtime/plans/source-plans.ts';
import { startTestRedis } from '../../support/redis-server.ts';
import { tinyDisk } from '../../support/tiny-disk.ts';

const { signal } = new AbortController();
const monotonicMs = performance.now.bind(performance);

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-doctor-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const RULES = {
  include: ['**/*'],
  ignore: ['skip'],
  hidden: false,
  ownPaths: [],
  polling: 'auto',
  rescan: 300_000,
} as const;

test('a canary is heard through the source that would be used, its file is gone, and folders are counted', async () => {
  const root = scratch();
  for (const folder of ['a/b', 'skip/c', '.git/d']) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'a/file'), 'x');
  const trial = await tryFolder({ root, ...RULES }, monotonicMs, signal);
  expect(trial).toMatchObject({ canary: { kind: 'events' }, network: null, scanEveryMs: null, folders: 3 });
  expect(readdirSync(root).sort()).toEqual(['.git', 'a', 'skip']);
  const polled = await tryFolder({ root, ...RULES, polling: true }, monotonicMs, signal);
  expect(polled.scanEveryMs).toBe(2_000);
});

test('a folder that tells of nothing is found out, and one that cannot be written is not taken for it', async () => {
  const root = scratch();
  const deaf = { start: ({ ready }: { ready(): void }) => ready(), close: async () => {} };
  expect(await tryEvents(root, deaf, monotonicMs)).toEqual({ kind: 'none', reason: null });
  expect(await tryEvents(join(root, 'gone'), deaf, monotonicMs)).toMatchObject({ kind: 'unwritable' });
});

test('a source without its folder is a problem with its fix', async () => {
  const plan = adHocPlanOf('inbox', join(scratch(), 'nowhere'), 'demo');
  const { finding, folders } = await examineFolder(plan, [], signal);
  expect([finding.state, folders]).toEqual(['problem', 0]);
  expect(finding.message).toContain('create it or correct the path');
});

test('a given Redis is asked for its version, its policy and its persistence; the private one is not started', async () => {
  const redis = await startTestRedis();
  onTestFinished(() => redis.close());
  const dataDir = scratch();
  const given = await examineRedis({
    dataDir,
    redis: { url: `unix://${redis.socketPath}`, prefix: 'slipway' },
    env: process.env,
  });
  expect(given[0]).toMatchObject({ state: 'ok', message: expect.stringMatching(/^Redis \d+\.\d+/) });
  const unreachable = await examineRedis({
    dataDir,
    redis: { url: 'redis://127.0.0.1:1/0', prefix: 'slipway' },
    env: process.env,
  });
  expect(unreachable).toMatchObject([{ state: 'problem', error: { code: 'redis_unreachable' } }]);
  const own = await examineRedis({ dataDir, redis: { url: null, prefix: 'slipway' }, env: process.env });
  expect(own).toMatchObject([{ state: 'ok', message: expect.stringContaining('is started when needed') }]);
  expect(readdirSync(dataDir)).toEqual([]);
  const missing = await examineRedis({
    dataDir,
    redis: { url: null, prefix: 'slipway' },
    env: { PATH: '/nowhere' },
  });
  expect(missing).toMatchObject([{ state: 'problem', error: { code: 'redis_binary_missing' } }]);
});

test('room is asked for where the folders will be made, once per folder', async () => {
  const folder = scratch();
  const found = await examineDisks([join(folder, 'data'), join(folder, 'manifests/deep')]);
  expect(found).toMatchObject([{ subject: folder, message: expect.stringContaining('free') }]);
});

test('a disk that is nearly full is a problem before recording has to pause', async ({ skip }) => {
  const disk = tinyDisk(scratch(), 8);
  if (disk === null) return skip('mounting needs root');
  expect(await examineDisks([join(disk.path, 'data')])).toMatchObject([
    { state: 'problem', message: expect.stringContaining('make room') },
  ]);
});
