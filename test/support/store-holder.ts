/** A process that opens what is kept of source `inbox`, says so, and keeps it open: DATA_DIR MANIFEST. */
import { silentLog } from '../../src/domain/log.ts';
import { openSourceStore } from '../../src/ledger/store/source-store.ts';

const [dataDir = '', manifest = ''] = process.argv.slice(2);
await openSourceStore({ dataDir, source: 'inbox', manifest, log: silentLog });
process.stdout.write('open\n');
setInterval(() => undefined, 60_000);
