import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withoutOwnReceipts } from '../../../src/intake/scan/own-receipts.ts';
import type { SeenFile } from '../../../src/intake/scan/seen-file.ts';
import { lineOf, testFolder } from '../../support/record-rig.ts';

function seen(path: string, size = 1): SeenFile {
  return { name: { path }, size, mtimeNs: '1', mtimeMs: 1, ctimeMs: 1, dev: 1n, ino: 1n, birthtimeNs: 1n };
}

test('a receipt that Slipway wrote is told from a file of the user by what is in it', async () => {
  const root = testFolder();
  writeFileSync(join(root, 'ours.pdf.receipt.json'), `${lineOf('ours.pdf')}\n`);
  writeFileSync(join(root, 'bill.receipt.json'), '{"v":1,"id":"bill-7","total":12}');
  writeFileSync(join(root, 'broken.receipt.json'), '{"v":1,');
  // Under another name it is a file like any other.
  writeFileSync(join(root, 'ours.json'), lineOf('ours.pdf'));
  symlinkSync(join(root, 'ours.pdf.receipt.json'), join(root, 'link.receipt.json'));
  const files = [
    'a.txt',
    'bill.receipt.json',
    'broken.receipt.json',
    'gone.receipt.json',
    'link.receipt.json',
    'ours.json',
  ].map((path) => seen(path));
  const kept = await withoutOwnReceipts(root, [...files, seen('ours.pdf.receipt.json')]);
  expect(kept).toEqual(files);
});

test('other files are not read at all', async () => {
  const files = [seen('a.txt'), seen('b.json')];
  expect(await withoutOwnReceipts('/does/not/exist', files)).toBe(files);
});
