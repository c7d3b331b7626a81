import type { DeliveryContent } from '../../domain/delivery.ts';
import { linesFrom } from '../../ledger/journal/journal-at.ts';
import type { BatchEnds } from '../../ledger/tables/batch-ends.ts';
import { batchBody, receiptBody, windowBody } from '../event/event-body.ts';

/** No window is made of more lines; those between them that are not told come on top. */
const MOST_LINES = 100_000;

/** The body of a delivery from what is recorded; null when that is not there any more. */
export async function deliveryBody(
  content: DeliveryContent,
  { journal, ends }: { readonly journal: string; readonly ends: BatchEnds },
): Promise<string | null> {
  switch (content.kind) {
    case 'batch': {
      const end = ends.find(content.batch);
      return end === null ? null : batchBody(end);
    }
    case 'receipt': {
      const [found] = await linesFrom(journal, content, 1);
      return found === undefined ? null : receiptBody(found.receipt, found.line);
    }
    case 'receipts': {
      const lines = await linesFrom(journal, content, MOST_LINES);
      const told = lines.filter(({ receipt }) => content.events.includes(`file.${receipt.status}`));
      return told.length === 0 ? null : windowBody(told.map(({ receipt }) => receipt));
    }
  }
}

export interface BodyCache {
  keep(seq: number, body: string): void;
  /** Once. */
  take(seq: number): string | null;
}

/** Bodies of deliveries just made out: most are sent at once, and need not be read again. */
export function createBodyCache(maxChars: number): BodyCache {
  const bodies = new Map<number, string>();
  let chars = 0;
  return {
    keep(seq, body) {
      if (chars + body.length > maxChars) return;
      bodies.set(seq, body);
      chars += body.length;
    },
    take(seq) {
      const body = bodies.get(seq);
      if (body === undefined) return null;
      bodies.delete(seq);
      chars -= body.length;
      return body;
    },
  };
}
