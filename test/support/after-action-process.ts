/**
 * What follows receipts, in a process of its own, to be killed between two steps.
 * Arguments: folder, action as JSON, the step to die after (or `none`), how often to pass it before, `sidecar` where
 * receipts are written beside the files.
 */
import { join } from 'node:path';
import type { AfterActions } from '../../src/domain/after-action.ts';
import { silentLog } from '../../src/domain/log.ts';
import { openLedger } from '../../src/ledger/ledger.ts';
import { startAfterActions } from '../../src/record/after/after-actions.ts';

const [folder = '', action = '"keep"', step = 'none', passes = '0', sidecar = ''] = process.argv.slice(2);
let left = Number(passes);
const ledger = openLedger(join(folder, 'ledger'));
const runner = startAfterActions({
  root: join(folder, 'inbox'),
  onSuccess: JSON.parse(action) as AfterActions['onSuccess'],
  onFailure: 'keep',
  sidecar: sidecar === 'sidecar',
  ledger,
  journal: join(folder, 'journal'),
  log: silentLog,
  failpoint(reached) {
    if (reached !== step) return;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
    left -= 1;
  },
});
await runner.settled();
await runner.stop();
await ledger.close();
