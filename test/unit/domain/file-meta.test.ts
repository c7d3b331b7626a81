import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { givenMeta, metaOfFlags } from '../../../src/cli/work/meta-flags.ts';
import { checkedMeta, mergedMeta } from '../../../src/domain/file-meta.ts';
import { pathNameOf, pathOnDisk } from '../../../src/domain/path-bytes.ts';
import { readMetaSidecar } from '../../../src/intake/scan/meta-sidecar.ts';
import { openLedger } from '../../../src/ledger/ledger.ts';
import { ledgerEntryOf } from '../../../src/ledger/ledger-entry.ts';
import { openKeptMeta } from '../../../src/ledger/tables/kept-meta.ts';
import { openMetaList } from '../../../src/ledger/tables/meta-list.ts';
import { receiptOf, testFolder } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

function problemOf(value: unknown): string {
  const checked = checkedMeta(value);
  return checked.kind === 'bad' ? checked.problem : 'none';
}

const pairs = (count: number, text = 'x'): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, text]));

test('a flat object is taken, numbers and booleans as text', () => {
  const value = { order: '4711', page: 3, ratio: 0.5, urgent: true, 'x-trace.id:1': '中文' };
  expect(checkedMeta(value)).toEqual({
    kind: 'meta',
    meta: { order: '4711', page: '3', ratio: '0.5', urgent: 'true', 'x-trace.id:1': '中文' },
  });
  expect(checkedMeta({})).toEqual({ kind: 'meta', meta: {} });
});

test.each([
  [null, 'must be a JSON object'],
  [['a'], 'must be a JSON object'],
  ['text', 'must be a JSON object'],
  [{ 'a b': '1' }, 'the key "a b" must be'],
  [{ '': '1' }, 'the key "" must be'],
  [JSON.parse('{"__proto__":"1"}'), 'the key "__proto__" must be'],
  [{ order: { id: 1 } }, 'the value of order must be a text'],
  [{ order: null }, 'the value of order must be a text'],
  [{ order: 'a\nb' }, 'the value of order holds control characters'],
  [pairs(17), 'holds 17 keys, and 16 is the most'],
  [pairs(16, 'y'.repeat(300)), 'bytes, and 4096 is the most'],
])('%j is refused, and the message names what is wrong', (value, problem) => {
  expect(problemOf(value)).toContain(problem);
});

test('the limits are exact: 16 keys, and 4096 bytes of JSON', () => {
  expect(problemOf(pairs(16))).toBe('none');
  const bytes = Buffer.byteLength(JSON.stringify({ a: '' }));
  expect(problemOf({ a: '中'.repeat(1) + 'x'.repeat(4096 - bytes - 3) })).toBe('none');
  expect(problemOf({ a: '中'.repeat(1) + 'x'.repeat(4096 - bytes - 2) })).toContain('takes 4097 bytes');
});

test('of several that speak of a file the most special wins, key by key', () => {
  expect(mergedMeta([{ a: '1', b: '1' }, null, { b: '2' }, undefined])).toEqual({ a: '1', b: '2' });
  expect(mergedMeta([null, undefined])).toBeNull();
  // Together too much: the most special alone.
  expect(mergedMeta([pairs(16), { own: '1' }])).toEqual({ own: '1' });
});

test('--meta takes pairs, and what follows the first = belongs to the value', () => {
  expect(metaOfFlags({ meta: ['order=47=11', 'empty='] })).toEqual({ order: '47=11', empty: '' });
  expect(metaOfFlags({})).toBeNull();
});

test.each([
  [['order'], '--meta "order" is not KEY=VALUE'],
  [['=x'], '--meta "=x" is not KEY=VALUE'],
  [['a=1', 'a=2'], '--meta a is given twice'],
  [['a b=1'], '--meta: the key "a b"'],
])('--meta %j is refused with what is wrong', (meta, problem) => {
  expect(() => metaOfFlags({ meta })).toThrow(problem);
});

test('what lies beside a file is read as its metadata, also beside names that are not UTF-8', async () => {
  const root = testFolder();
  const odd = pathNameOf(Buffer.from([0x61, 0xff]));
  writeFileSync(join(root, 'a.pdf.meta.json'), '{ "order": 4711 }\n');
  writeFileSync(
    Buffer.concat([Buffer.from(pathOnDisk(root, odd)), Buffer.from('.meta.json')]),
    '{"odd":"1"}',
  );
  expect(await readMetaSidecar(root, { path: 'a.pdf' })).toEqual({ kind: 'meta', meta: { order: '4711' } });
  expect(await readMetaSidecar(root, odd)).toEqual({ kind: 'meta', meta: { odd: '1' } });
  expect(await readMetaSidecar(root, { path: 'b.pdf' })).toBeNull();
  expect(await readMetaSidecar(root, { path: 'n'.repeat(250) })).toBeNull();
});

test('what cannot be used beside a file says why, and a symlink leads nowhere', async () => {
  const root = testFolder();
  writeFileSync(join(root, 'broken.meta.json'), '{"order":');
  writeFileSync(join(root, 'large.meta.json'), `{"a":"${'x'.repeat(4096)}"}`);
  mkdirSync(join(root, 'folder.meta.json'));
  writeFileSync(join(root, 'secret'), '{"password":"x"}');
  symlinkSync(join(root, 'secret'), join(root, 'link.meta.json'));
  const problems = await Promise.all(
    ['broken', 'large', 'folder', 'link'].map(async (path) => {
      const read = await readMetaSidecar(root, { path });
      return read?.kind === 'bad' ? read.problem : 'none';
    }),
  );
  expect(problems).toEqual([
    'is not JSON',
    'takes 4104 bytes, and 4096 is the most',
    'is not a regular file',
    'ELOOP',
  ]);
});

test('a list names its bad lines by number, all at once', async () => {
  const root = testFolder();
  const list = join(root, 'list.jsonl');
  const lines = [
    '{"path":"a.pdf","meta":{"order":"1"}}',
    '',
    'no json',
    '{"meta":{}}',
    '{"path":"b.pdf","meta":{"x":[]}}',
    '{"path":"/elsewhere/c.pdf","meta":{}}',
  ];
  writeFileSync(list, lines.join('\n'));
  const refused = givenMeta({ metaFrom: list }, [root]);
  await expect(refused).rejects.toMatchObject({ code: 'usage' });
  await expect(refused).rejects.toThrow(
    /line 3 is not JSON; line 4 has no path; line 5 meta: the value of x .*; line 6 names "\/elsewhere\/c.pdf"/,
  );
  await expect(givenMeta({ metaFrom: join(root, 'none') }, [root])).rejects.toThrow(/cannot read .*: ENOENT/);
  await expect(givenMeta({ metaFrom: list }, [root, '/b'])).rejects.toThrow('goes with one folder');
});

function ledgerForTest(): ReturnType<typeof openLedger> {
  const ledger = openLedger(join(testFolder(), 'ledger'));
  onTestFinished(() => ledger.close());
  ledger.commit([], 0);
  return ledger;
}

test('a list is found by path, its last line for a path counting, and another list takes its place', async () => {
  const root = testFolder();
  const list = join(root, 'list.jsonl');
  const said = (path: string, order: number): string => JSON.stringify({ path, meta: { order } });
  writeFileSync(
    list,
    [said('a.pdf', 1), said('./d/b.pdf', 2), said(`${root}/c.pdf`, 3), said('a.pdf', 4)].join('\r\n'),
  );
  const ledger = ledgerForTest();
  const metas = openMetaList(ledger, '');
  await metas.load(list, root);
  expect(openMetaList(ledger, 'b1').find({ path: 'a.pdf' })).toBeNull();
  const found = ['a.pdf', 'd/b.pdf', 'c.pdf', 'e.pdf'].map((path) => metas.find({ path })?.order);
  expect(found).toEqual(['4', '2', '3', undefined]);
  writeFileSync(list, said('e.pdf', 5));
  await metas.load(list, root);
  expect([metas.find({ path: 'a.pdf' }), metas.find({ path: 'e.pdf' })]).toEqual([null, { order: '5' }]);
  await metas.load(null, root);
  expect(metas.find({ path: 'e.pdf' })).toBeNull();
});

test('what is kept for a version is given to its outcome, survives a new start, and goes with its receipt', () => {
  const ledger = ledgerForTest();
  const outcome = uploadedOutcome('a.txt');
  openKeptMeta(ledger).keep([{ id: outcome.id, meta: { order: '1' } }]);
  const kept = openKeptMeta(ledger);
  expect(kept.finish(outcome).meta).toEqual({ order: '1' });
  const other = uploadedOutcome('b.txt');
  expect(kept.finish(other)).toBe(other);
  ledger.commit([ledgerEntryOf(receiptOf(outcome), { offset: 0, length: 9 })], 10);
  expect(kept.finish(outcome)).toBe(outcome);
});
