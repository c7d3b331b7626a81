/**
 * Writes files as fast as it can, or so many per second, until all are written or its standard input ends:
 * node burst-writer.ts FOLDER FILES FOLDERS PER_SECOND. FOLDERS 0: all in one. PER_SECOND 0: no limit.
 * Prints how many it has written.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const [root = '', ...numbers] = process.argv.slice(2);
const [files = 0, folders = 0, perSecond = 0] = numbers.map(Number);
const perFolder = folders === 0 ? files : Math.ceil(files / folders);
const content = Buffer.alloc(100, 'x');
let stopped = false;
process.stdin.on('end', () => {
  stopped = true;
});
process.stdin.resume();

const beganMs = performance.now();
let written = 0;
while (written < files && !stopped) {
  const folder = folders === 0 ? root : join(root, `folder-${Math.floor(written / perFolder)}`);
  if (folders > 0 && written % perFolder === 0) mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `file-${written}.bin`), content);
  written += 1;
  if (perSecond === 0) continue;
  const dueMs = beganMs + (written * 1_000) / perSecond;
  if (dueMs > performance.now()) await delay(dueMs - performance.now());
}
process.stdout.write(`${written}\n`, () => process.exit());
