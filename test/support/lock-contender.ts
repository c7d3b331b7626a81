/**
 * A process that adds one to a counter file again and again, each time under the lock. Without a lock that works,
 * additions are lost. With `hold` it takes the lock, says so, and keeps it until it is killed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../../src/domain/errors.ts';
import { silentLog } from '../../src/domain/log.ts';
import { lockJournal } from '../../src/ledger/journal/journal-lock.ts';
import { takeProcessLock } from '../../src/platform/process/process-lock.ts';
import { systemClock } from '../../src/platform/waiting/clock.ts';

const [folder = '', counterFile = '', times = '0', kind = 'lock'] = process.argv.slice(2);
const MINUTE_MS = 60_000;

for (let round = 0; round < (times === 'hold' ? 1 : Number(times)); round += 1) {
  const release = kind === 'journal' ? await takeJournal() : await takeLock();
  if (times === 'hold') {
    process.stdout.write('held\n');
    await new Promise(() => setInterval(() => undefined, MINUTE_MS));
  }
  const before = Number(readFileSync(join(counterFile), 'utf8'));
  // Gives another process the chance to come in between, if it can.
  await new Promise((resolve) => setImmediate(resolve));
  writeFileSync(counterFile, String(before + 1));
  release();
}

async function takeLock(): Promise<() => void> {
  const lock = await takeProcessLock(folder, systemClock, MINUTE_MS);
  if (lock.kind === 'held') throw new Error(`still held by ${lock.pid}`);
  return lock.release;
}

/** The lock of a journal goes with its folder each time that it is given back. */
async function takeJournal(): Promise<() => void> {
  const until = Date.now() + MINUTE_MS;
  for (;;) {
    try {
      return lockJournal(join(folder, 'x.jsonl'), { dataDir: `/of/${process.pid}`, source: 'x' }, silentLog);
    } catch (error) {
      if (!(error instanceof SlipwayError) || error.code !== 'journal_owned' || Date.now() > until)
        throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
