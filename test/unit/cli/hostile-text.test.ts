/** What file names and far sides put into terminals, tables and JSON. */
import { expect, test } from 'vitest';
import { cellWidth, fitted, padCells } from '../../../src/cli/screen/cell-width.ts';
import { jsonLine, jsonText } from '../../../src/cli/screen/json-line.ts';
import { indentedJson } from '../../../src/cli/screen/json-text.ts';
import { csvRecord } from '../../../src/cli/screen/receipt-csv.ts';
import { printable } from '../../../src/cli/screen/terminal.ts';
import { receiptOf } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

const NEXT_LINE = String.fromCharCode(0x85);
const CSI = String.fromCharCode(0x9b);
const RIGHT_TO_LEFT = String.fromCharCode(0x202e);
const ZERO_WIDTH = String.fromCharCode(0x200b);
const LINE_SEPARATOR = String.fromCharCode(0x2028);

test('controls, what turns a line round, and what is not shown are escaped where a person reads', () => {
  expect(printable(`a${RIGHT_TO_LEFT}fdp.exe`)).toBe('a\\u{202e}fdp.exe');
  expect(printable(`x${ZERO_WIDTH}y${LINE_SEPARATOR}z${CSI}31m`)).toBe('x\\u{200b}y\\u{2028}z\\x9b31m');
  expect(printable('深い é 😀')).toBe('深い é 😀');
});

test('JSON on the terminal holds no control characters, and says the same', () => {
  const value = { path: `a${CSI}31m${NEXT_LINE}`, n: 1 };
  for (const text of [jsonText(value), jsonLine(value), indentedJson(JSON.stringify(value))]) {
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(JSON.parse(text)).toEqual(value);
  }
});

test.each([
  '=1+1',
  '+1',
  '-1',
  '@SUM(A1)',
  ' =1+1',
  `${ZERO_WIDTH}=1+1`,
  '\t=1',
  '＝1+1',
  '＋1',
  '－1',
  '＠SUM',
  ';=1+1',
  '; =1+1',
  '\u00a0=1',
])('the cell %j is no formula', (path) => {
  expect(csvRecord(receiptOf({ ...uploadedOutcome('a.txt'), path }))).toContain(`'${path}`);
});

test.each(['a=1', 'report-2.pdf', '1+1', 'a;b'])('the cell %j is left as it is', (path) => {
  expect(csvRecord(receiptOf({ ...uploadedOutcome('a.txt'), path }))).not.toContain(`'${path}`);
});

test('widths are counted in cells: a line never takes more than the terminal has', () => {
  expect(['abc', '深い', 'e\u0301', '😀', '한글', 'ｆｕｌｌ'].map(cellWidth)).toEqual([3, 4, 1, 2, 4, 8]);
  expect(padCells('深', 4)).toBe('深  ');
  for (const text of ['深い森の中で', 'abcdefghijkl', 'a深b深c深d'])
    for (let columns = 3; columns < 16; columns += 1) {
      const line = fitted(text, columns);
      expect(cellWidth(line)).toBeLessThan(columns);
      if (cellWidth(text) < columns) expect(line).toBe(text);
    }
});
