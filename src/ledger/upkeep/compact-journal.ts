import { stat } from 'node:fs/promises';
import { writeAtomic } from '../../platform/files/atomic-file.ts';
import type { IntentOf } from '../intent.ts';
import { lockJournal } from '../journal/journal-lock.ts';
import { replayJournal } from '../journal/journal-replay.ts';
import { receiptLines } from '../journal/latest-lines.ts';
import { journalPathOf } from '../journal/manifest-journal.ts';
import type { FrozenLedger } from '../ledger.ts';
import { sourceFolder } from '../store/data-dir.ts';
import { lockSource } from '../store/source-lock.ts';
import { openLockedStore, type StorePlace } from '../store/source-store.ts';
import { buildLedger } from './build-ledger.ts';
import {
  announceSwitch,
  compactedJournal,
  compactedLedger,
  finishCompaction,
  type SwitchStep,
} from './compaction-switch.ts';
import { type OwedLines, owedLines } from './outbox-carry.ts';

/** What has just been done when the fault harness may strike. */
export type CompactStep = 'journal-built' | 'ledger-built' | SwitchStep;

export interface CompactResult {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Receipts that were left out: each was followed by a later one of its path. */
  readonly dropped: number;
}

const NOTHING = (): void => {};
const NEWLINE = Buffer.from('\n');

/**
 * Keeps the latest receipt of every path, and what webhook endpoints have not been told yet. The new journal and its ledger are built beside the old ones; then a note
 * says that they are meant, and only then are they put in place, here or at the next start.
 * @throws SlipwayError `source_owned` while a process works on the source, and what opening the store throws
 */
export async function compactSource(
  place: StorePlace & { readonly intentOf?: IntentOf | undefined },
  failpoint: (step: CompactStep) => void | Promise<void> = NOTHING,
): Promise<CompactResult> {
  const { dataDir, source, log, intentOf } = place;
  const folder = sourceFolder(dataDir, source);
  const unlock = lockSource(dataDir, source);
  let unlockJournal = (): void => {};
  try {
    // Until the new one is in its place, not only while the old one is open.
    unlockJournal = lockJournal(journalPathOf(place.manifest), place, log);
    const store = await openLockedStore(place);
    const { ledger, journal } = store;
    const { path } = journal;
    const built = compactedJournal(path);
    const bytesBefore = journal.size();
    let kept = 0;
    let dropped = 0;
    try {
      await replayJournal({ journal, ledger, log, intentOf });
      const owed = owedLines(ledger);
      const frozen = ledger.frozen();
      try {
        await writeAtomic(
          built,
          keptLines(path, frozen, owed, () => (kept += 1)),
          { mode: 0o600 },
        );
      } finally {
        frozen.close();
      }
      await failpoint('journal-built');
      await buildLedger({
        path: compactedLedger(folder),
        journal: built,
        before: ledger,
        moved: owed.moved,
        log,
      });
      const { uploaded, failed, skipped } = ledger.counts().total;
      dropped = uploaded + failed + skipped - kept;
      await failpoint('ledger-built');
    } finally {
      await store.close();
    }
    const bytesAfter = (await stat(built)).size;
    await announceSwitch(folder, path, bytesAfter);
    await failpoint('announced');
    await finishCompaction(folder, log, failpoint);
    return { bytesBefore, bytesAfter, dropped };
  } finally {
    unlockJournal();
    unlock();
  }
}

async function* keptLines(
  path: string,
  ledger: FrozenLedger,
  owed: OwedLines,
  onKept: () => void,
): AsyncGenerator<Buffer> {
  for await (const lines of receiptLines(path, { from: 0, to: ledger.mark })) {
    for (const { line, receipt } of lines) {
      if (!owed.has(line.offset) && !ledger.isLatest(receipt, line.offset)) continue;
      owed.kept(line.offset, line.length + 1);
      onKept();
      yield line.bytes;
      yield NEWLINE;
    }
  }
}
