import { expect, test } from 'vitest';
import { type ExportFormat, exportText } from '../../../src/cli/screen/export-formats.ts';
import { csvRecord } from '../../../src/cli/screen/receipt-csv.ts';
import type { Receipt } from '../../../src/domain/receipt.ts';
import { receiptOf } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

function receipt(path: string, change: Partial<Receipt> = {}): Receipt {
  return { ...receiptOf(uploadedOutcome(path)), ...change };
}

/** A strict reader of RFC 4180, written from its grammar. */
function parseCsv(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let at = 0;
  while (at < text.length) {
    let cell = '';
    if (text[at] === '"') {
      for (at += 1; ; at += 1) {
        if (at >= text.length) throw new Error('a quote is not closed');
        if (text[at] !== '"') cell += text[at];
        else if (text[at + 1] === '"') {
          cell += '"';
          at += 1;
        } else break;
      }
      at += 1;
    } else {
      while (at < text.length && text[at] !== ',' && text[at] !== '\r') {
        if (text[at] === '"' || text[at] === '\n') throw new Error(`a bare ${JSON.stringify(text[at])}`);
        cell += text[at];
        at += 1;
      }
    }
    record.push(cell);
    if (text[at] === ',') at += 1;
    else if (text.startsWith('\r\n', at)) {
      at += 2;
      records.push(record);
      record = [];
    } else throw new Error(`unexpected ${JSON.stringify(text[at])}`);
  }
  return records;
}

async function exported(pages: Receipt[][], format: ExportFormat): Promise<string> {
  async function* source(): AsyncGenerator<Receipt[]> {
    yield* pages;
  }
  let text = '';
  for await (const piece of exportText(source(), format)) text += piece;
  return text;
}

const AWKWARD = ['a,b.txt', 'say "hi".txt', 'two\nlines', 'cr\r.txt', '文档.pdf', ' spaces ', ''];

test('CSV names its columns, and every awkward name comes back as it was', async () => {
  const pages = [AWKWARD.map((path) => receipt(path)), [receipt('last')]];
  const [header = [], ...records] = parseCsv(await exported(pages, 'csv'));
  const column = header.indexOf('path');
  expect(header.slice(0, 4)).toEqual(['source', 'path', 'status', 'destination']);
  expect(records.map((record) => record[column])).toEqual([...AWKWARD, 'last']);
  for (const record of records) expect(record).toHaveLength(header.length);
});

test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '=HYPERLINK("http://evil","x")'])(
  'a name that a spreadsheet would calculate (%j) is text',
  (path) => {
    const [record = []] = parseCsv(csvRecord(receipt(path)));
    expect(record[1]).toBe(`'${path}`);
  },
);

test('what a far side says is guarded as well, and numbers stay numbers', () => {
  const error = { code: 'rejected', kind: 'rejected', message: '=cmd()', httpStatus: 400, at: '' };
  const text = csvRecord(receipt('a', { status: 'failed', error, bytes: 12, sha256: null }));
  expect(text).toContain(",'=cmd(),400,");
  expect(text).toContain(',12,,');
});

test('JSON is one array, JSON Lines a receipt a line, and both say the same', async () => {
  const pages = [AWKWARD.map((path) => receipt(path)), [receipt('last')]];
  const all = pages.flat();
  expect(JSON.parse(await exported(pages, 'json'))).toEqual(all);
  const lines = (await exported(pages, 'jsonl')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual(all);
});

test('an export of nothing is still valid', async () => {
  expect(JSON.parse(await exported([], 'json'))).toEqual([]);
  expect(await exported([], 'jsonl')).toBe('');
  expect(parseCsv(await exported([], 'csv'))).toHaveLength(1);
});

test('metadata has a CSV column of its own, as JSON', async () => {
  const pages = [[receipt('a', { meta: { order: '47,11', note: '"x"' } }), receipt('b')]];
  const [header = [], first = [], second = []] = parseCsv(await exported(pages, 'csv'));
  const column = header.indexOf('meta');
  expect(JSON.parse(first[column] ?? '')).toEqual({ order: '47,11', note: '"x"' });
  expect(second[column]).toBe('');
});
