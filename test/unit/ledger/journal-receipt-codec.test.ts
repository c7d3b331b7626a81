import { expect, test } from 'vitest';
import { decodeReceipt, encodeReceipt } from '../../../src/ledger/journal/receipt-codec.ts';
import { lineOf, receiptOf } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

test('a receipt survives the line it becomes', () => {
  const receipt = receiptOf(uploadedOutcome('a "b"\nc/d\u2028é.pdf'));
  const line = encodeReceipt(receipt);
  expect(line).not.toContain('\n');
  expect(decodeReceipt(line)).toEqual(receipt);
});

test('the keys of a line are in the documented order whatever order the outcome has', () => {
  const receipt = receiptOf(uploadedOutcome('a.pdf'));
  const reversed = Object.fromEntries(Object.entries(receipt).reverse()) as typeof receipt;
  expect(Object.keys(JSON.parse(encodeReceipt(reversed)))).toEqual([
    'v',
    'id',
    'source',
    'path',
    'gen',
    'status',
    'destination',
    'url',
    'fileId',
    'ref',
    'bytes',
    'sha256',
    'contentType',
    'mtime',
    'mtimeNs',
    'expiresAt',
    'attempts',
    'queuedAt',
    'uploadedAt',
    'recordedAt',
    'durationMs',
    'batch',
    'remote',
    'error',
  ]);
});

test('what was seen and tried comes last, and only where there is something to say', () => {
  const at = '2026-11-22T01:02:04.500Z';
  const attemptLog = [
    { at, code: 'http_429', kind: 'throttled', httpStatus: 429, counted: false, attempted: false } as const,
  ];
  const plain = receiptOf(uploadedOutcome('a.pdf'));
  const receipt = { ...plain, attemptLog, settledMs: 4, seenMs: 2_004 };
  const line = encodeReceipt(receipt);
  expect(line.endsWith(`"seenMs":2004,"settledMs":4,"attemptLog":${JSON.stringify(attemptLog)}}`)).toBe(true);
  expect(decodeReceipt(line)).toEqual(receipt);
  expect(encodeReceipt({ ...plain, seenMs: 3 }).length - encodeReceipt(plain).length).toBe(11);
});

test('a name that is not UTF-8 keeps its exact bytes beside the readable path', () => {
  const receipt = receiptOf({
    ...uploadedOutcome('caf\uFFFD.txt'),
    pathBytes: Buffer.from('caf\xe9.txt', 'latin1').toString('base64'),
  });
  const line = encodeReceipt(receipt);
  expect(Object.keys(JSON.parse(line)).slice(3, 5)).toEqual(['path', 'pathBytes']);
  expect(decodeReceipt(line)).toEqual(receipt);
});

test('keys of a later version stay readable', () => {
  const line = JSON.stringify({ ...JSON.parse(lineOf('a.pdf')), verifiedAt: '2027-01-01' });
  expect(decodeReceipt(line)).toMatchObject({ path: 'a.pdf', verifiedAt: '2027-01-01' });
});

test.each([
  ['half a line', lineOf('a.pdf').slice(0, 40)],
  ['another version', JSON.stringify({ ...JSON.parse(lineOf('a.pdf')), v: 2 })],
  ['a number', '7'],
  ['null', 'null'],
  ['an unknown status', JSON.stringify({ ...JSON.parse(lineOf('a.pdf')), status: 'lost' })],
  ['no generation', JSON.stringify({ ...JSON.parse(lineOf('a.pdf')), gen: null })],
])('%s is not a receipt', (_what, line) => {
  expect(decodeReceipt(line)).toBeNull();
});

test('an oversized answer of the API is dropped rather than the receipt', () => {
  const line = encodeReceipt(
    receiptOf({ ...uploadedOutcome('a.pdf'), remote: { text: 'x'.repeat(100_000) } }),
  );
  expect(line.length).toBeLessThan(2_000);
  expect(decodeReceipt(line)).toMatchObject({ status: 'uploaded', remote: { truncated: true } });
});
