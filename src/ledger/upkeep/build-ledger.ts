import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { reasonOf } from '../../domain/errors.ts';
import { type Log, silentLog } from '../../domain/log.ts';
import { WHOLE_PACE } from '../commit-pace.ts';
import { replayJournal } from '../journal/journal-replay.ts';
import { openJournal } from '../journal/manifest-journal.ts';
import { type Ledger, openLedger } from '../ledger.ts';
import { carryTables } from './carried-tables.ts';
import { carryOutbox, type MovedOffset } from './outbox-carry.ts';

const PER_COMMIT = 1_000;

/**
 * Builds a ledger from a journal in a folder of its own, durable when this returns. What only a ledger knows (files
 * still to be moved or deleted, versions to go once more, batches, metadata, inodes) comes from the one before.
 * @param options.before null: there is none that can be read
 * @returns how many receipts it knows
 * @throws SlipwayError `journal_corrupt`, `disk_full`
 */
export async function buildLedger(options: {
  readonly path: string;
  readonly journal: string;
  readonly before: Ledger | null;
  /** Where bytes of the old journal are in this one; left out: where they were. */
  readonly moved?: MovedOffset;
  readonly log: Log;
}): Promise<number> {
  const { path, before, log } = options;
  await rm(path, { recursive: true, force: true });
  const ledger = openLedger(path, 'at close');
  let receipts = 0;
  try {
    const journal = await openJournal({ path: options.journal, mark: 0, ledger: path, log });
    try {
      // The one who asked for it says what it came to.
      const quiet: Log = { ...silentLog, warn: log.warn.bind(log) };
      receipts = await replayJournal({ journal, ledger, log: quiet, pace: WHOLE_PACE });
      ledger.commit([], journal.size());
    } finally {
      await journal.close();
    }
    if (before !== null) await carryOver(before, ledger, log, options.moved);
  } finally {
    await ledger.close();
  }
  await syncedFile(join(path, 'data.mdb'));
  return receipts;
}

/** Page by page, the event loop turning between: another source of this process may be recording. */
async function carryOver(
  before: Ledger,
  ledger: Ledger,
  log: Log,
  moved: MovedOffset | undefined,
): Promise<void> {
  try {
    for (let after = 0; ; ) {
      const page = before.intents.take(after, PER_COMMIT);
      if (page.length > 0) ledger.intents.restore(page);
      if (page.length < PER_COMMIT) break;
      after = page.at(-1)?.key ?? after;
      await nextTurn();
    }
    for (let after: Buffer | null = null; ; ) {
      const discarded = before.deadLetters.discarded(after, PER_COMMIT);
      ledger.deadLetters.discard(discarded);
      if (discarded.length < PER_COMMIT) break;
      after = discarded.at(-1)?.version.key ?? after;
      await nextTurn();
    }
    for (let after: Buffer | null = null; ; ) {
      const { again, onDisk, next } = before.notes(after, PER_COMMIT);
      if (onDisk.length > 0) ledger.markDisk(onDisk);
      ledger.sendAgain(again);
      if (next === null) break;
      after = next;
      await nextTurn();
    }
    await carryTables(before, ledger);
    carryOutbox(before, ledger, moved);
  } catch (error) {
    log.warn({ reason: reasonOf(error) }, 'the old ledger could be read in part only');
  }
}

async function syncedFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
