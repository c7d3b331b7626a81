import { existsSync } from 'node:fs';
import { readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '../../domain/log.ts';
import { writeAtomic } from '../../platform/files/atomic-file.ts';
import { syncedFolder } from '../journal/synced-folder.ts';

/** What has just been done when the fault harness may strike. */
export type SwitchStep = 'announced' | 'journal-replaced' | 'ledger-away' | 'ledger-replaced' | 'switched';

/** A compacted journal and its ledger, complete and durable, about to take the place of the old ones. */
interface Switch {
  readonly v: 1;
  readonly journal: string;
  /** Bytes of the compacted journal. */
  readonly bytes: number;
}

const NOTHING = (): void => {};

/** Where the compacted journal is built: a name that intake knows as Slipway's own. */
export function compactedJournal(journal: string): string {
  return `${journal}.compact`;
}

/** Where its ledger is built. */
export function compactedLedger(sourceFolder: string): string {
  return join(sourceFolder, 'ledger.compact');
}

/** Writes down that the switch is to be made: from here on it is, whatever dies. */
export async function announceSwitch(sourceFolder: string, journal: string, bytes: number): Promise<void> {
  const content: Switch = { v: 1, journal, bytes };
  await writeAtomic(noteIn(sourceFolder), `${JSON.stringify(content)}\n`, { mode: 0o600 });
}

/**
 * Puts a compacted journal and its ledger in place, or goes on where a crash ended. Two files cannot be replaced in one
 * step, so the note says what is meant until both are. Without a note, half-built ones are removed.
 * Done at every start, by whoever holds the source's lock.
 */
export async function finishCompaction(
  sourceFolder: string,
  log: Log,
  failpoint: (step: SwitchStep) => void | Promise<void> = NOTHING,
): Promise<void> {
  const ledger = join(sourceFolder, 'ledger');
  const built = compactedLedger(sourceFolder);
  const meant = await readNote(sourceFolder);
  if (meant === null) {
    if (existsSync(built)) await rm(built, { recursive: true, force: true });
    return;
  }
  const { journal, bytes } = meant;
  const ready = existsSync(compactedJournal(journal)) || (await sizeOf(journal)) === bytes;
  if (existsSync(built) && ready) {
    await rename(compactedJournal(journal), journal).catch(ignoreMissing);
    await syncedFolder(dirname(journal));
    await failpoint('journal-replaced');
    await rm(`${ledger}.old`, { recursive: true, force: true });
    await rename(ledger, `${ledger}.old`).catch(ignoreMissing);
    await failpoint('ledger-away');
    await rename(built, ledger);
    await syncedFolder(sourceFolder);
    await failpoint('ledger-replaced');
  } else if (existsSync(built)) {
    log.warn({ journal }, 'the compacted manifest journal is gone; the one that is there stays');
    await rm(built, { recursive: true, force: true });
  }
  await rm(noteIn(sourceFolder), { force: true });
  await syncedFolder(sourceFolder);
  await failpoint('switched');
  await rm(`${ledger}.old`, { recursive: true, force: true });
}

function noteIn(sourceFolder: string): string {
  return join(sourceFolder, 'compact.json');
}

async function readNote(sourceFolder: string): Promise<Switch | null> {
  const text = await readFile(noteIn(sourceFolder), 'utf8').catch((error: NodeJS.ErrnoException) => {
    ignoreMissing(error);
    return null;
  });
  return text === null ? null : (JSON.parse(text) as Switch);
}

async function sizeOf(path: string): Promise<number | null> {
  return (await stat(path).catch(() => null))?.size ?? null;
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
