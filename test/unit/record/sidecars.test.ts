import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AfterActions } from '../../../src/domain/after-action.ts';
import { pathNameOf, pathOnDisk } from '../../../src/domain/path-bytes.ts';
import type { Receipt } from '../../../src/domain/receipt.ts';
import { type AfterActionRig, afterActionRig, receiptFor } from '../../support/after-action-rig.ts';
import { testFolder } from '../../support/record-rig.ts';

const KEEP = { onSuccess: 'keep', onFailure: 'keep', sidecar: true } as const;

function sidecarIn(folder: string, path: string): Receipt {
  return JSON.parse(readFileSync(join(folder, `${path}.receipt.json`), 'utf8')) as Receipt;
}

/** Only root may write where nobody may. */
const asRoot = process.getuid?.() === 0;

test('the receipt lies beside the file, whatever its status, for its owner alone', async () => {
  const rig = afterActionRig(KEEP);
  const receipts = (['uploaded', 'failed', 'skipped'] as const).map((status) => {
    rig.write(`sub/${status}.txt`);
    return receiptFor(rig.root, { path: `sub/${status}.txt` }, { status });
  });
  rig.record(receipts);
  await rig.finish();
  for (const receipt of receipts) expect(sidecarIn(rig.root, receipt.path)).toEqual(receipt);
  expect(statSync(join(rig.root, 'sub/failed.txt.receipt.json')).mode & 0o777).toBe(0o600);
  expect(rig.ledger.intents.count()).toBe(0);
  expect(rig.files()).toHaveLength(6);
});

test('a new receipt of the file takes the place of the old one', async () => {
  const rig = afterActionRig(KEEP);
  rig.write('a.txt', 'one');
  rig.record([receiptFor(rig.root, { path: 'a.txt' })]);
  await rig.finish();
  rig.write('a.txt', 'two two');
  const second = receiptFor(rig.root, { path: 'a.txt' }, { queuedAt: '2030-01-01T00:00:00.000Z' });
  rig.record([second]);
  await rig.finish();
  expect(sidecarIn(rig.root, 'a.txt')).toEqual(second);
});

test('of several receipts of one file that wait, the newest is written', async () => {
  const rig = afterActionRig(KEEP);
  rig.write('a.txt', 'one');
  const first = receiptFor(rig.root, { path: 'a.txt' }, { status: 'skipped' });
  rig.write('a.txt', 'two two');
  const second = receiptFor(rig.root, { path: 'a.txt' }, { queuedAt: '2030-01-01T00:00:00.000Z' });
  const again = { ...second, gen: 1, url: 'https://later' };
  rig.record([first, second, again]);
  await rig.finish();
  expect(sidecarIn(rig.root, 'a.txt')).toEqual(again);
});

test.each([
  ['a text', 'my own notes'],
  ['a JSON file of the user', '{"v":1,"id":"invoice-7"}'],
])('%s under that name is never overwritten, and is named in a warning', async (_what, content) => {
  const rig = afterActionRig(KEEP);
  rig.write('a.txt');
  rig.write('a.txt.receipt.json', content);
  rig.record([receiptFor(rig.root, { path: 'a.txt' })]);
  await rig.finish();
  expect(readFileSync(join(rig.root, 'a.txt.receipt.json'), 'utf8')).toBe(content);
  expect(rig.log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields.path)).toEqual([
    'a.txt',
  ]);
  expect(rig.ledger.intents.count()).toBe(0);
});

test('a symlink under that name leads nowhere', async () => {
  const rig = afterActionRig(KEEP);
  rig.write('a.txt');
  const elsewhere = join(testFolder(), 'elsewhere');
  symlinkSync(elsewhere, join(rig.root, 'a.txt.receipt.json'));
  rig.record([receiptFor(rig.root, { path: 'a.txt' })]);
  await rig.finish();
  expect(existsSync(elsewhere)).toBe(false);
  expect(lstatSync(join(rig.root, 'a.txt.receipt.json')).isSymbolicLink()).toBe(true);
});

test('it goes with a file that is moved, under the name the file gets there', async () => {
  const done = join(testFolder(), 'done');
  const rig = afterActionRig({ ...KEEP, onSuccess: { moveTo: done } });
  mkdirSync(join(done, 'd'), { recursive: true });
  writeFileSync(join(done, 'd/a.txt'), 'was here');
  rig.write('d/a.txt');
  const receipt = receiptFor(rig.root, { path: 'd/a.txt' });
  rig.record([receipt]);
  await rig.finish();
  expect(sidecarIn(done, 'd/a-2.txt')).toEqual(receipt);
  expect(existsSync(join(done, 'd/a.txt.receipt.json'))).toBe(false);
  expect(rig.files()).toEqual([]);
});

test('of a deleted file it lies where the file was', async () => {
  const rig = afterActionRig({ ...KEEP, onSuccess: 'delete' });
  rig.write('a.txt');
  const receipt = receiptFor(rig.root, { path: 'a.txt' });
  rig.record([receipt]);
  await rig.finish();
  expect(rig.files()).toEqual(['a.txt.receipt.json']);
  expect(sidecarIn(rig.root, 'a.txt')).toEqual(receipt);
});

test('names that are not UTF-8 get theirs too', async () => {
  const rig = afterActionRig(KEEP);
  const name = pathNameOf(Buffer.from([0x61, 0xff, 0x2e, 0x74]));
  writeFileSync(pathOnDisk(rig.root, name), 'x');
  const receipt = receiptFor(rig.root, name);
  rig.record([receipt]);
  await rig.finish();
  const beside = Buffer.concat([Buffer.from(pathOnDisk(rig.root, name)), Buffer.from('.receipt.json')]);
  expect(JSON.parse(readFileSync(beside, 'utf8'))).toEqual(receipt);
});

test('a name that would be too long is told of, and holds nothing up', async () => {
  const rig = afterActionRig(KEEP);
  const long = 'n'.repeat(250);
  for (const path of [long, 'short.txt']) rig.write(path);
  rig.record([receiptFor(rig.root, { path: long }), receiptFor(rig.root, { path: 'short.txt' })]);
  await rig.finish();
  expect(existsSync(join(rig.root, 'short.txt.receipt.json'))).toBe(true);
  expect(rig.ledger.intents.count()).toBe(0);
  expect(rig.log.lines.map(({ level }) => level)).toEqual(['warn']);
});

test.skipIf(asRoot)(
  'a folder nobody may write costs one warning, and they follow once it can be written',
  async () => {
    const { rig, receipts } = filled();
    chmodSync(rig.root, 0o500);
    await rig.finish();
    expect(rig.log.lines.map(({ level }) => level)).toEqual(['warn']);
    expect(rig.ledger.intents.count()).toBe(receipts.length);
    chmodSync(rig.root, 0o700);
    await rig.finish();
    for (const receipt of receipts) expect(sidecarIn(rig.root, receipt.path)).toEqual(receipt);
    expect(rig.ledger.intents.count()).toBe(0);
  },
);

test('a place that cannot be written costs one warning, and they follow once it can', async () => {
  const done = join(testFolder(), 'done');
  const { rig, receipts } = filled({ ...KEEP, onSuccess: { moveTo: done } });
  // Something in the way of the temporary file: what even root cannot write over.
  const blocks = receipts.map(({ id }) => join(done, `.slipway-${id}-0.tmp`));
  for (const block of blocks) mkdirSync(join(block, 'x'), { recursive: true });
  await rig.finish();
  expect(rig.log.lines.map(({ level }) => level)).toEqual(['warn']);
  // Moved they are.
  expect(rig.files()).toEqual([]);
  expect(rig.ledger.intents.count()).toBe(receipts.length);
  for (const block of blocks) rmSync(block, { recursive: true });
  await rig.finish();
  for (const receipt of receipts) expect(sidecarIn(done, receipt.path)).toEqual(receipt);
  expect(rig.ledger.intents.count()).toBe(0);
});

test('a source that wants none any more gets none', async () => {
  const { rig } = filled();
  await rig.finish({ sidecar: false });
  expect(rig.files().filter((path) => path.endsWith('.receipt.json'))).toEqual([]);
  expect(rig.ledger.intents.count()).toBe(0);
});

test('of a folder that went away with its files nothing is left, and nothing is said', async () => {
  const rig = afterActionRig(KEEP);
  rig.write('d/a.txt');
  rig.record([receiptFor(rig.root, { path: 'd/a.txt' })]);
  renameSync(join(rig.root, 'd'), join(rig.folder, 'taken'));
  await rig.finish();
  expect([rig.ledger.intents.count(), rig.log.lines]).toEqual([0, []]);
});

function filled(actions: AfterActions = KEEP): { rig: AfterActionRig; receipts: Receipt[] } {
  const rig = afterActionRig(actions);
  const receipts = Array.from({ length: 20 }, (_, index) => {
    rig.write(`${index}.txt`);
    return receiptFor(rig.root, { path: `${index}.txt` });
  });
  rig.record(receipts);
  return { rig, receipts };
}
