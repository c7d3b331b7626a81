import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { checkConfig, type LoadedConfig, loadConfig } from '../../../src/config/load-config.ts';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { createFilter } from '../../../src/intake/scan/filter.ts';
import { ownPathsUnder } from '../../../src/intake/scan/own-paths.ts';
import { warnOfDeletion } from '../../../src/operations/control/retention-warning.ts';
import { configuredPlans, ownPathsOf } from '../../../src/runtime/plans/source-plans.ts';
import { rememberingLog } from '../../support/record-rig.ts';

async function fileWith(source: object, destination: object = { preset: 'dashscope' }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-after-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const sources = {
    inbox: { path: './inbox', destination: 'api', ...source },
    other: { path: './other', destination: 'api' },
  };
  const destinations = { api: { token: { env: 'TOKEN' }, fields: { purpose: 'batch' }, ...destination } };
  await writeFile(join(folder, 'slipway.yaml'), JSON.stringify({ destinations, sources }));
  return join(folder, 'slipway.yaml');
}

async function load(file: string): Promise<LoadedConfig> {
  return await loadConfig({ file, env: {}, cwd: '/' });
}

async function problems(source: object): Promise<string> {
  const result = await checkConfig({ file: await fileWith(source), env: {}, cwd: '/' });
  if (result.ok) throw new SlipwayError('internal', { reason: 'accepted' });
  return result.problems.join('\n');
}

test('folders to move to are relative to the file', async () => {
  const file = await fileWith({ onSuccess: { moveTo: './inbox/done' }, onFailure: { moveTo: '/srv/bad' } });
  const { config } = await load(file);
  expect(config.sources.inbox).toMatchObject({
    onSuccess: { moveTo: join(file, '../inbox/done') },
    onFailure: { moveTo: '/srv/bad' },
  });
});

test.each(['./inbox', '.', './other', '/'])('moving to %s, which is watched, is refused', async (moveTo) => {
  const text = await problems({ onSuccess: { moveTo } });
  expect(text).toMatch(/sources\.inbox\.onSuccess\.moveTo: is, or holds, the folder of source (inbox|other)/);
});

test('a failed file cannot be deleted, and a mistake is told with what there is', async () => {
  expect(await problems({ onFailure: 'delete' })).toContain('must be `keep` or `{ moveTo: FOLDER }`');
  expect(await problems({ onSuccess: 'move' })).toContain('must be `keep`, `delete` or `{ moveTo: FOLDER }`');
});

test('a folder to move to inside a source is never watched, and its neighbours are', async () => {
  const file = await fileWith({
    onSuccess: { moveTo: './inbox/done' },
    onFailure: { moveTo: './other/bad' },
  });
  const loaded = await load(file);
  const paths = ownPathsOf(loaded, configuredPlans(loaded.config));
  const filterOf = async (name: string) => {
    const own = await ownPathsUnder(join(file, '..', name), paths);
    return createFilter({ include: ['**/*'], ignore: [], hidden: false, own });
  };
  const inbox = await filterOf('inbox');
  expect(inbox.path('done', 'directory')).toBe('own');
  expect(inbox.path('done/a/b.txt', 'file')).toBe('own');
  expect(inbox.path('done.txt', 'file')).toBeNull();
  expect((await filterOf('other')).path('bad/a.txt', 'file')).toBe('own');
});

test('deleting is warned about unless the destination says how long it keeps a file', async () => {
  const said = async (source: object, destination: object): Promise<string[]> => {
    const { config } = await load(await fileWith(source, destination));
    const log = rememberingLog();
    warnOfDeletion(configuredPlans(config), Object.values(config.definitions), log);
    return log.lines.map(({ message }) => message);
  };
  expect(await said({ onSuccess: 'delete' }, { preset: 'dashscope' })).toEqual([
    expect.stringContaining('source inbox deletes files after their upload, and api does not say how long'),
  ]);
  expect(await said({ onSuccess: 'delete' }, { preset: 'openai' })).toEqual([]);
  expect(await said({ onSuccess: { moveTo: './done' } }, { preset: 'dashscope' })).toEqual([]);
});
