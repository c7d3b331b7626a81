/** Two data folders must not write one journal: each would take the other's lines for damage. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lutimesSync, mkdirSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createFilter } from '../../../src/intake/scan/filter.ts';
import {
  openSourceStore,
  type SourceStore,
  type StorePlace,
} from '../../../src/ledger/store/source-store.ts';
import { compactSource } from '../../../src/ledger/upkeep/compact-journal.ts';
import { lineOf, rememberingLog, testFolder } from '../../support/record-rig.ts';

const HOLDER = join(import.meta.dirname, '../../support/store-holder.ts');

function placeIn(folder: string, dataDir: string, source = 'inbox'): StorePlace {
  const manifest = join(folder, 'inbox.manifest.json');
  return { dataDir: join(folder, dataDir), source, manifest, log: rememberingLog() };
}

async function opened(place: StorePlace): Promise<SourceStore> {
  const store = await openSourceStore(place);
  onTestFinished(() => store.close());
  return store;
}

function lockIn(folder: string): string {
  const [name = ''] = readdirSync(folder).filter((entry) => entry.startsWith('.slipway-lock-'));
  return join(folder, name);
}

test('a second data folder is refused while the first one writes, and the error names it; then it may', async () => {
  const folder = testFolder();
  const first = await openSourceStore(placeIn(folder, 'data'));
  const refused = openSourceStore(placeIn(folder, 'other'));
  await expect(refused).rejects.toMatchObject({
    code: 'journal_owned',
    details: { pid: process.pid, host: hostname(), source: 'inbox', dataDir: join(folder, 'data') },
  });
  await expect(compactSource(placeIn(folder, 'other'))).rejects.toMatchObject({ code: 'journal_owned' });
  // Neither may another source of the same data folder.
  await expect(openSourceStore(placeIn(folder, 'data', 'twin'))).rejects.toMatchObject({
    code: 'journal_owned',
  });
  await first.journal.append([lineOf('a')]);
  await first.close();
  const second = await opened(placeIn(folder, 'other'));
  expect(second.journal.size()).toBeGreaterThan(0);
});

test('another process that has it is named; once it is killed nothing is in the way', async () => {
  const folder = testFolder();
  const { dataDir, manifest } = placeIn(folder, 'data');
  const holder = spawn(process.execPath, [HOLDER, dataDir, manifest], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  await expect(openSourceStore(placeIn(folder, 'other'))).rejects.toMatchObject({
    code: 'journal_owned',
    details: { pid: holder.pid, dataDir },
  });
  const exited = once(holder, 'exit');
  holder.kill('SIGKILL');
  await exited;
  await opened(placeIn(folder, 'other'));
});

test('a host that renews its lock is respected, one that has fallen silent is not', async () => {
  const folder = testFolder();
  const first = await openSourceStore(placeIn(folder, 'data'));
  const lock = lockIn(folder);
  const ours = JSON.parse(readlinkSync(join(lock, 'lock.1'))) as Record<string, string>;
  await first.close();
  mkdirSync(lock);
  const theirs = { ...ours, host: 'elsewhere', pids: 'elsewhere', process: '7-7', dataDir: '/their/data' };
  symlinkSync(JSON.stringify(theirs), join(lock, 'lock.2'));
  await expect(openSourceStore(placeIn(folder, 'data'))).rejects.toMatchObject({
    code: 'journal_owned',
    details: { host: 'elsewhere', pid: 7, dataDir: '/their/data' },
  });
  const longAgo = new Date(Date.now() - 60_000);
  lutimesSync(join(lock, 'lock.2'), longAgo, longAgo);
  await opened(placeIn(folder, 'data'));
});

test('a journal has one lock, however its path is spelled, and the lock is never taken for a file to send', async () => {
  const folder = testFolder();
  mkdirSync(join(folder, 'real'));
  symlinkSync(join(folder, 'real'), join(folder, 'link'));
  await opened({ ...placeIn(folder, 'data'), manifest: join(folder, 'real/x.manifest.json') });
  const spelled = { ...placeIn(folder, 'other'), manifest: join(folder, 'link/x.manifest.json') };
  await expect(openSourceStore(spelled)).rejects.toMatchObject({ code: 'journal_owned' });
  const [name = ''] = readdirSync(join(folder, 'real')).filter((entry) => entry.startsWith('.'));
  const filter = createFilter({ include: ['**/*'], ignore: [], hidden: true, own: [] });
  expect(filter.path(`${name}/lock.1`, 'symlink')).toBe('own');
});
