import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Outcome, Receipt } from '../domain/receipt.ts';
import type { LinePlace } from '../ledger/journal/journal-reader.ts';
import type { ManifestJournal } from '../ledger/journal/manifest-journal.ts';
import { encodeReceipt } from '../ledger/journal/receipt-codec.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { createMutex } from '../platform/waiting/mutex.ts';

/** A receipt and where its line stands. */
export interface WrittenLine {
  readonly receipt: Receipt;
  readonly place: LinePlace;
}

/**
 * Writes receipts to the journal, each once: what is handed over in the same turn of the event loop, so that a kill of this
 * process does not take it away, and made durable with the batch it is recorded in. Whose permit has gone on to another
 * file by then is in the file before that one can have been sent.
 */
export interface LineWriter {
  /** At the end of this turn, and without a word when it fails: whoever records it writes it then. */
  soon(outcomes: readonly Outcome[]): void;
  /** Those that have no receipt and are not written yet. Throws what the journal throws. */
  write(outcomes: readonly Outcome[]): Promise<void>;
  /** Makes durable what is written. @returns it, in the order of its places */
  sync(): Promise<readonly WrittenLine[]>;
  /** They are in the ledger. */
  committed(lines: readonly WrittenLine[]): void;
}

// Over 80 lines: what waits, what is written and what is durable are one line, which every method moves.
/** Nothing written. */
export function createLineWriter(ports: {
  readonly ledger: Pick<Ledger, 'find'>;
  readonly journal: Pick<ManifestJournal, 'write' | 'writeNow' | 'sync' | 'takeBack'>;
  /** The last word on an outcome before it is written. */
  readonly finish: (outcome: Outcome) => Outcome;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly log: Log;
}): LineWriter {
  const { ledger, journal, finish, now, log } = ports;
  /** One write at a time; a sync goes on beside it. */
  const inTurn = createMutex();
  let written: WrittenLine[] = [];
  /** Of those: the newest generation of each version (rule overlay). */
  const newest = new Map<string, number>();
  let waiting: Outcome[] = [];
  let isDue = false;
  /** Writes that wait or are under way. */
  let writes = 0;

  /** Those without a receipt yet (rule dropLate): a job may be listed twice, or a kill have come before its removal. */
  function unknown(outcomes: readonly Outcome[]): Outcome[] {
    const seen = new Map<string, number>();
    return outcomes.filter(({ id, gen }) => {
      const recorded = ledger.find(id)?.gen ?? -1;
      const known = Math.max(seen.get(id) ?? newest.get(id) ?? -1, recorded);
      // Of a commit that failed: the journal was replayed since.
      if ((newest.get(id) ?? gen) <= recorded) newest.delete(id);
      seen.set(id, Math.max(known, gen));
      return gen > known;
    });
  }

  async function write(outcomes: readonly Outcome[]): Promise<void> {
    writes += 1;
    await inTurn(async () => {
      const receipts = receiptsOf(outcomes);
      if (receipts.length > 0) wrote(receipts, await journal.write(receipts.map(encodeReceipt)));
    }).finally(() => {
      writes -= 1;
    });
  }

  function receiptsOf(outcomes: readonly Outcome[]): Receipt[] {
    const recordedAt = new Date(now()).toISOString();
    return unknown(outcomes).map((outcome) => ({ ...finish(outcome), recordedAt }));
  }

  function wrote(receipts: readonly Receipt[], places: readonly LinePlace[]): void {
    for (const [index, place] of places.entries()) {
      const receipt = receipts[index];
      if (receipt === undefined) continue;
      written.push({ receipt, place });
      newest.set(receipt.id, receipt.gen);
    }
  }

  /** Beside a write it waits its turn, which is a moment later. */
  function writeHanded(): void {
    const handed = waiting;
    isDue = false;
    waiting = [];
    if (writes === 0) {
      const receipts = receiptsOf(handed);
      const places = receipts.length === 0 ? [] : journal.writeNow(receipts.map(encodeReceipt));
      if (places !== null) {
        wrote(receipts, places);
        return;
      }
    }
    write(handed).catch((error: unknown) =>
      log.debug({ reason: reasonOf(error) }, 'outcomes wait in memory until they can be written'),
    );
  }

  return {
    soon(outcomes) {
      waiting.push(...outcomes);
      if (isDue) return;
      isDue = true;
      setImmediate(() => {
        try {
          writeHanded();
        } catch (error) {
          // As when the ledger has been closed meanwhile.
          log.debug({ reason: reasonOf(error) }, 'outcomes wait in memory until they can be recorded');
        }
      });
    },

    write,

    async sync() {
      // Begun while nothing is being written: all that is synced is among these.
      const { lines, synced } = await inTurn(async () => ({ lines: [...written], synced: journal.sync() }));
      try {
        await synced;
      } catch (error) {
        writes += 1;
        await inTurn(async () => {
          await journal.takeBack();
          written = [];
          newest.clear();
        }).finally(() => {
          writes -= 1;
        });
        throw error;
      }
      written = written.slice(lines.length);
      return lines;
    },

    committed(lines) {
      for (const { receipt } of lines) if (newest.get(receipt.id) === receipt.gen) newest.delete(receipt.id);
    },
  };
}
