/** Compacts the source `inbox` of a folder in a process of its own. Arguments: folder, the step to die after (or `none`). */
import { join } from 'node:path';
import { silentLog } from '../../src/domain/log.ts';
import { compactSource } from '../../src/ledger/upkeep/compact-journal.ts';

const [folder = '', step = 'none'] = process.argv.slice(2);
await compactSource(
  {
    dataDir: join(folder, 'data'),
    source: 'inbox',
    manifest: join(folder, 'inbox.manifest.json'),
    log: silentLog,
  },
  (reached) => {
    if (reached === step) process.kill(process.pid, 'SIGKILL');
  },
);
