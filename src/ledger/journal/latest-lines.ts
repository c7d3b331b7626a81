import { SlipwayError } from '../../domain/errors.ts';
import type { Receipt } from '../../domain/receipt.ts';
import type { FrozenLedger } from '../ledger.ts';
import { type JournalLine, readLines } from './journal-reader.ts';
import { decodeReceipt } from './receipt-codec.ts';

/** A line of the journal and what it says. */
export interface ReceiptLine {
  readonly line: JournalLine;
  readonly receipt: Receipt;
}

/**
 * The receipts of a journal, front to back, a chunk at a time. Memory does not grow with the file.
 * @param containing only lines that hold these bytes somewhere: cheaper than looking into each
 * @throws SlipwayError `journal_corrupt`
 */
export async function* receiptLines(
  path: string,
  range: { readonly from: number; readonly to: number },
  containing: Buffer | null = null,
): AsyncGenerator<ReceiptLine[]> {
  for await (const lines of readLines(path, range)) {
    const found: ReceiptLine[] = [];
    for (const line of lines) {
      if (containing !== null && !line.bytes.includes(containing)) continue;
      const receipt = decodeReceipt(line.bytes.toString('utf8'));
      if (receipt === null) throw new SlipwayError('journal_corrupt', { path, offset: line.offset });
      found.push({ line, receipt });
    }
    yield found;
  }
}

/** Of them, the latest of every path. */
export async function* latestLines(path: string, ledger: FrozenLedger): AsyncGenerator<ReceiptLine[]> {
  for await (const lines of receiptLines(path, { from: 0, to: ledger.mark })) {
    yield lines.filter(({ line, receipt }) => ledger.isLatest(receipt, line.offset));
  }
}
