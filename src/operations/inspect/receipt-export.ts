import type { Log } from '../../domain/log.ts';
import type { Receipt, ReceiptStatus } from '../../domain/receipt.ts';
import { openRecordReader } from '../../ledger/store/record-reader.ts';
import { type KnownSource, placeOf } from '../../runtime/plans/known-sources.ts';

export interface ReceiptFilter {
  /** Empty: any. */
  readonly statuses: readonly ReceiptStatus[];
  /** Recorded at this time or later, in milliseconds since the epoch; null: any. */
  readonly sinceMs: number | null;
  readonly batch: string | null;
}

/**
 * The latest receipt of every path, or every receipt, source by source and in the order of their recording, in pieces:
 * memory does not grow with the manifest. The filter is asked about the latest: a path whose last receipt is another
 * one is not found by an earlier receipt.
 */
export async function* exportReceipts(options: {
  readonly sources: readonly KnownSource[];
  readonly dataDir: string;
  readonly all: boolean;
  readonly filter: ReceiptFilter;
  readonly log: Log;
}): AsyncGenerator<readonly Receipt[]> {
  const { sources, dataDir, all, filter, log } = options;
  for (const source of sources) {
    const reader = await openRecordReader(placeOf(source, dataDir, log));
    if (reader === null) continue;
    try {
      for await (const receipts of all ? reader.all() : reader.latest()) {
        const meant = receipts.filter((receipt) => isMeant(receipt, filter));
        if (meant.length > 0) yield meant;
      }
    } finally {
      await reader.close();
    }
  }
}

function isMeant(receipt: Receipt, { statuses, sinceMs, batch }: ReceiptFilter): boolean {
  if (statuses.length > 0 && !statuses.includes(receipt.status)) return false;
  if (batch !== null && receipt.batch !== batch) return false;
  return sinceMs === null || Date.parse(receipt.recordedAt) >= sinceMs;
}
