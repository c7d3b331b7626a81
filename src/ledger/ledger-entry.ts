import type { PathName } from '../domain/path-bytes.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { Intent, IntentOf } from './intent.ts';
import type { LinePlace } from './journal/journal-reader.ts';
import type { Recorded } from './ledger-codec.ts';

/** What a commit says of one journal line. */
export interface LedgerEntry extends Recorded {
  readonly id: string;
  readonly name: PathName;
  readonly destination: string;
  /** When the version was admitted: orders the versions of one path. */
  readonly queuedAtMs: number;
  /** Hex; null unless uploaded. */
  readonly sha256: string | null;
  readonly batch: string | null;
  /** What to do with the file, stored in the same transaction; null: nothing. */
  readonly intent: Intent | null;
}

/**
 * The entry of a receipt at its place in the journal.
 * @param intentOf left out for receipts that are not new: nothing is done with their files (G4)
 */
export function ledgerEntryOf(receipt: Receipt, place: LinePlace, intentOf?: IntentOf): LedgerEntry {
  const queuedAtMs = Date.parse(receipt.queuedAt);
  return {
    id: receipt.id,
    gen: receipt.gen,
    status: receipt.status,
    code: receipt.error?.code ?? null,
    // Not the receipt itself: a batch of entries would keep every API answer of it in memory.
    name:
      receipt.pathBytes === undefined
        ? { path: receipt.path }
        : { path: receipt.path, pathBytes: receipt.pathBytes },
    destination: receipt.destination,
    // An unreadable time loses to every readable one instead of poisoning the comparison.
    queuedAtMs: Number.isNaN(queuedAtMs) ? 0 : queuedAtMs,
    offset: place.offset,
    length: place.length,
    sha256: receipt.sha256,
    batch: receipt.batch,
    intent: intentOf?.(receipt) ?? null,
  };
}
