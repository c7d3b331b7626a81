import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { installationId } from '../../../src/ledger/store/data-dir.ts';
import { testFolder } from '../../support/record-rig.ts';

test('processes that start together in a new data folder agree on its id, and so does the next one', async () => {
  const folder = testFolder();
  const ids = await Promise.all(Array.from({ length: 12 }, () => installationId(folder)));
  expect(new Set(ids).size).toBe(1);
  expect(ids[0]).toMatch(/^[0-9a-f]{32}$/);
  expect(await installationId(folder)).toBe(ids[0]);
  expect(await readdir(folder)).toEqual(['installation']);
});

test('half an id is no id', async () => {
  const folder = testFolder();
  await writeFile(join(folder, 'installation'), 'abc');
  const id = await installationId(folder);
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(await installationId(folder)).toBe(id);
  expect(await readdir(folder)).toEqual(['installation']);
});
