import { expect, test } from 'vitest';
import { receivedType } from '../../../src/operations/receive/content-type.ts';

const PNG = Buffer.concat([
  Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
  Buffer.from('000000010000000108060000001f15c489', 'hex'),
]);
const TEXT = Buffer.from('plain words');

test.each([
  ['application/pdf', PNG, 'application/pdf'],
  ['text/csv; charset=utf-8', TEXT, 'text/csv; charset=utf-8'],
  [null, PNG, 'image/png'],
  ['application/octet-stream', PNG, 'image/png'],
  ['text/plain', PNG, 'image/png'],
  ['text/plain', TEXT, 'text/plain'],
  [null, TEXT, null],
  ['application/octet-stream', TEXT, null],
  ['not a type', TEXT, null],
  ['text/plain\r\nx-evil: 1', PNG, 'image/png'],
  [null, Buffer.alloc(0), null],
])('a part that says %j is sent as %3$j', async (said, head, type) => {
  expect(await receivedType(said, head)).toBe(type);
});
