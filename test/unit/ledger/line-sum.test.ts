import { expect, test } from 'vitest';
import { bytesWithoutSum, intactLine, withoutSum, withSum } from '../../../src/ledger/journal/line-sum.ts';
import { decodeReceipt } from '../../../src/ledger/journal/receipt-codec.ts';
import { lineOf } from '../../support/record-rig.ts';

test('the sum is the last field of a line, and is gone from what is shown of it', () => {
  const line = lineOf('é.txt');
  const summed = withSum(line);
  expect(summed).toMatch(/,"sum":"[0-9a-f]{8}"\}$/);
  expect(Object.keys(JSON.parse(summed) as object).at(-1)).toBe('sum');
  expect([withoutSum(summed), intactLine(summed)]).toEqual([line, line]);
  expect(bytesWithoutSum(Buffer.from(summed)).toString()).toBe(line);
  expect(decodeReceipt(summed)).toEqual(decodeReceipt(line));
  // Lines of older versions.
  expect([withoutSum(line), intactLine(line)]).toEqual([line, line]);
  expect(bytesWithoutSum(Buffer.from(line)).toString()).toBe(line);
});

test('a line of which any bit has flipped is no receipt', () => {
  const summed = Buffer.from(withSum(lineOf('a.txt')));
  for (let at = 0; at < summed.length; at += 1) {
    const flipped = Buffer.from(summed);
    flipped.writeUInt8((flipped[at] ?? 0) ^ (1 << (at % 7)), at);
    const decoded = decodeReceipt(flipped.toString('utf8'));
    // In the name of the field itself it is one that nobody knows: the content is whole then.
    const isOfTheField = at >= summed.length - 18;
    if (!isOfTheField) expect(decoded).toBeNull();
  }
});
