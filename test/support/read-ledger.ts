/** Opens a ledger and reads all of it: `read`, or `refused` where it, or a page of it, is. */
import { openLedger } from '../../src/ledger/ledger.ts';

let said = 'read';
try {
  const ledger = openLedger(process.argv[2] ?? '');
  for (let after: Buffer | null = null; ; ) {
    const page = ledger.latestPage(after, 100);
    after = page.next;
    if (after === null) break;
  }
  ledger.counts();
  await ledger.close();
} catch {
  said = 'refused';
}
process.stdout.write(`${said}\n`);
