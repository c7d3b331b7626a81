import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sweepTemporaries, writeAtomic } from '../../../src/platform/files/atomic-file.ts';
import { formatIdentity, ownIdentity } from '../../../src/platform/process/process-identity.ts';
import { testFolder } from '../../support/record-rig.ts';

test('what a killed process left half-written goes at the next start; what others are writing stays', async () => {
  const folder = testFolder();
  const script = `
    import { readdirSync } from 'node:fs';
    import { writeAtomic } from './src/platform/files/atomic-file.ts';
    const half = async function* () { yield 'half'; process.kill(process.pid, 'SIGKILL'); await new Promise(() => {}); };
    await writeAtomic(${JSON.stringify(join(folder, 'x.json'))}, half(), { mode: 0o600 });
  `;
  const killed = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script], {
    encoding: 'utf8',
  });
  expect(killed.signal).toBe('SIGKILL');
  const [left = ''] = readdirSync(folder);
  expect(left).toMatch(/^\.slipway-.*\.tmp$/);

  const host = left.split('-')[1] ?? '';
  const living = `.slipway-${host}-${formatIdentity(ownIdentity())}-9.tmp`;
  const elsewhere = left.replace(host, '00000000');
  const old = `.slipway-${'ab'.repeat(9)}.tmp`;
  const young = `.slipway-${'cd'.repeat(9)}.tmp`;
  const theirs = ['notes.tmp', '.slipway-0a1b.tmp', '.slipway-f00-0'];
  for (const name of [living, elsewhere, old, young, ...theirs]) writeFileSync(join(folder, name), '');
  utimesSync(join(folder, old), 1, 1);
  await sweepTemporaries([folder, join(folder, 'missing')]);
  expect(readdirSync(folder).sort()).toEqual([living, elsewhere, young, ...theirs].sort());

  await writeAtomic(join(folder, 'x.json'), 'whole', { mode: 0o600 });
  expect([existsSync(join(folder, 'x.json')), readdirSync(folder).length]).toEqual([true, 7]);
});
