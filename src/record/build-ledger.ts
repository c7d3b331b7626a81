import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../domain/errors.ts';
import { type Log, silentLog } from '../domain/log.ts';
import { replayJournal } from './journal-replay.ts';
import { carryKeptTables } from './kept-tables.ts';
import { type Ledger, openLedger } from './ledger.ts';
import type { VersionMark } from './ledger-codec.ts';
import { openJournal } from './manifest-journal.ts';

const PER_COMMIT = 1_000;

/**
 * Builds a ledger from a journal in a folder of its own, durable when this returns. What only a ledger knows (files
 * still to be moved or deleted, versions to go once more) comes from the one before.
 * @param options.before null: there is none that can be read
 * @returns how many receipts it knows
 * @throws SlipwayError `journal_corrupt`, `disk_full`
 */
export async function buildLedger(options: {
  readonly path: string;
  readonly journal: string;
  readonly before: Ledger | null;
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
      receipts = await replayJournal({ journal, ledger, log: quiet });
      ledger.commit([], journal.size());
    } finally {
      await journal.close();
    }
    if (before !== null) carryOver(before, ledger, log);
  } finally {
    await ledger.close();
  }
  await syncedFile(join(path, 'data.mdb'));
  return receipts;
}

function carryOver(before: Ledger, ledger: Ledger, log: Log): void {
  try {
    let after = 0;
    for (let page = before.intents.take(0, PER_COMMIT); page.length > 0; ) {
      ledger.intents.restore(page);
      after = page.at(-1)?.key ?? after;
      page = before.intents.take(after, PER_COMMIT);
    }
    let marks: VersionMark[] = [];
    for (const mark of before.again()) {
      marks.push(mark);
      if (marks.length < PER_COMMIT) continue;
      ledger.sendAgain(marks);
      marks = [];
    }
    ledger.sendAgain(marks);
    carryKeptTables(before, ledger);
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
