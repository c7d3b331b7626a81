/**
 * A process that adds one to a counter file again and again, each time under the lock. Without a lock that works,
 * additions are lost. With `hold` it takes the lock, says so, and keeps it until it is killed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { takeProcessLock } from '../../src/platform/process/process-lock.ts';
import { systemClock } from '../../src/platform/waiting/clock.ts';

const [folder = '', counterFile = '', times = '0'] = process.argv.slice(2);
const MINUTE_MS = 60_000;

for (let round = 0; round < (times === 'hold' ? 1 : Number(times)); round += 1) {
  const lock = await takeProcessLock(folder, systemClock, MINUTE_MS);
  if (lock.kind === 'held') throw new Error(`still held by ${lock.pid}`);
  if (times === 'hold') {
    process.stdout.write('held\n');
    await new Promise(() => setInterval(() => undefined, MINUTE_MS));
  }
  const before = Number(readFileSync(join(counterFile), 'utf8'));
  // Gives another process the chance to come in between, if it can.
  await new Promise((resolve) => setImmediate(resolve));
  writeFileSync(counterFile, String(before + 1));
  lock.release();
}
