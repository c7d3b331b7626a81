/** A ledger that was cut off or has flipped bits: known before lmdb maps it, which would end the process. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openLedger } from '../../../src/ledger/ledger.ts';
import { pageDamage } from '../../../src/ledger/ledger-damage.ts';
import { ledgerEntryOf } from '../../../src/ledger/ledger-entry.ts';
import { seededRandom } from '../../../src/sandbox/trouble/seeded-random.ts';
import { receiptOf, testFolder } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

/** A ledger with so many receipts, closed; path of its folder. */
async function closedLedger(receipts: number): Promise<string> {
  const path = join(testFolder(), 'ledger');
  const ledger = openLedger(path, 'at close');
  for (let begin = 0; begin < receipts; begin += 500) {
    const entries = Array.from({ length: Math.min(500, receipts - begin) }, (_, index) => {
      const place = { offset: (begin + index) * 100, length: 99 };
      return ledgerEntryOf(receiptOf(uploadedOutcome(`folder/${begin + index}.txt`)), place);
    });
    ledger.commit(entries, (begin + entries.length) * 100);
  }
  await ledger.close();
  return path;
}

test('a whole ledger has nothing to be said of it, small or large', async () => {
  for (const receipts of [0, 10, 5_000]) {
    const path = await closedLedger(receipts);
    expect(pageDamage(join(path, 'data.mdb'), 'whole')).toBeNull();
    const again = openLedger(path);
    expect(again.counts().total.uploaded).toBe(receipts);
    await again.close();
  }
});

test.each([0.05, 0.3, 0.6, 0.9, 0.99])(
  'one that was cut off after %f of it is refused with the way out',
  async (share) => {
    const path = await closedLedger(3_000);
    const file = join(path, 'data.mdb');
    truncateSync(file, Math.floor(readFileSync(file).length * share));
    expect(() => openLedger(path)).toThrow(
      expect.objectContaining({ code: 'ledger_unreadable', message: expect.stringContaining('built again') }),
    );
  },
);

test('flipped bits end no process: every opening that is not refused can be read to its end', async () => {
  const path = await closedLedger(400);
  const whole = readFileSync(join(path, 'data.mdb'));
  for (let start = 0; start < 10; start += 1) {
    const random = seededRandom(start);
    const folder = join(testFolder(), 'flipped');
    mkdirSync(folder);
    copyFileSync(join(path, 'data.mdb'), join(folder, 'data.mdb'));
    const bytes = Buffer.from(whole);
    for (let bit = 0; bit < 40; bit += 1) {
      const at = Math.floor(random() * bytes.length);
      bytes.writeUInt8((bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8)), at);
    }
    writeFileSync(join(folder, 'data.mdb'), bytes);
    // In a process of its own: what lmdb does to a damaged map nobody can catch.
    const read = spawnSync(process.execPath, ['test/support/read-ledger.ts', folder], { encoding: 'utf8' });
    expect([read.signal, read.stdout.trim()]).toEqual([null, expect.stringMatching(/^(read|refused)$/)]);
  }
}, 60_000);
