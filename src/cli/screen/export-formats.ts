import type { Receipt } from '../../domain/receipt.ts';
import { jsonLine, jsonText } from './json-line.ts';
import { CSV_HEADER, csvRecord } from './receipt-csv.ts';

export const EXPORT_FORMATS = ['json', 'jsonl', 'csv'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Receipts as text, piece by piece: `json` is one array, a receipt a line; `jsonl` a receipt a line; `csv` RFC 4180. */
export async function* exportText(
  receipts: AsyncIterable<readonly Receipt[]>,
  format: ExportFormat,
): AsyncGenerator<string> {
  if (format === 'csv') yield CSV_HEADER;
  if (format === 'json') yield '[';
  let separator = '\n';
  for await (const page of receipts) {
    if (format === 'csv') yield page.map(csvRecord).join('');
    else if (format === 'jsonl') yield page.map((receipt) => jsonLine(receipt)).join('');
    else {
      yield separator + page.map((receipt) => jsonText(receipt)).join(',\n');
      separator = ',\n';
    }
  }
  if (format === 'json') yield '\n]\n';
}
