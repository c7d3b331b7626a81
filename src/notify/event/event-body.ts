import type { BatchEnd } from '../../domain/batch.ts';
import type { FileEvent } from '../../domain/delivery.ts';
import type { Receipt } from '../../domain/receipt.ts';

/** The body of a delivery; the same bytes at every attempt. `timestamp` is when it happened, not when it is sent. */
export type EventBody = string;

export function fileEventOf({ status }: Pick<Receipt, 'status'>): FileEvent {
  return `file.${status}`;
}

/** @param line the receipt as the journal has it, JSON */
export function receiptBody(receipt: Receipt, line: string): EventBody {
  const { recordedAt } = receipt;
  return `{"type":"${fileEventOf(receipt)}","timestamp":${JSON.stringify(recordedAt)},"data":${line}}`;
}

/** A trial: its receiver has nothing to do for it. */
export function testBody(receipt: Receipt): EventBody {
  return JSON.stringify({
    ...{ type: fileEventOf(receipt), timestamp: receipt.recordedAt, test: true, data: receipt },
  });
}

/** A window, in the order of recording; without `remote` and the failed tries, to stay small. */
export function windowBody(receipts: readonly Receipt[]): EventBody {
  const timestamp = receipts.at(-1)?.recordedAt ?? null;
  const slim = receipts.map(({ remote: _, attemptLog: _tries, ...rest }) => rest);
  return JSON.stringify({ type: 'files.settled', timestamp, data: { receipts: slim } });
}

export function batchBody(end: BatchEnd): EventBody {
  const durationMs = Date.parse(end.completedAt) - Date.parse(end.startedAt);
  const { v, batch, source, destination, folder, counts, startedAt, completedAt } = end;
  const { manifest, manifestSha256 } = end;
  const data = {
    ...{ v, batch, source, destination, ...(folder === undefined ? {} : { folder }) },
    ...{ counts, startedAt, completedAt, durationMs },
    ...{ manifest, manifestSha256 },
  };
  return JSON.stringify({ type: 'batch.completed', timestamp: completedAt, data });
}
