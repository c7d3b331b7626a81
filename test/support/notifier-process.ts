/**
 * A notifier in a process of its own, to be killed between two steps. Ends by itself once everything was told.
 * Arguments: folder, URL, form (`one` or `windows`), the step to die after (or `none`), how often to pass
 * it before.
 */
import { silentLog } from '../../src/domain/log.ts';
import { NOTIFY_TIMING, startNotifier } from '../../src/notify/notifier.ts';
import { storeIn } from './notifier-store.ts';

const [folder = '', url = '', form = 'one', step = 'none', passes = '0'] = process.argv.slice(2);
const SECRET = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';

let left = Number(passes);
const store = await storeIn(folder);
const notifier = await startNotifier({
  source: 'inbox',
  endpoints: [
    {
      name: 'pipeline',
      target: { kind: 'http', url, secrets: [SECRET], headers: {} },
      events: ['file.uploaded'],
      batch: form === 'windows' ? { maxItems: 20, maxWait: 50 } : null,
      concurrency: 10,
      timeoutMs: 5_000,
    },
  ],
  store,
  intentOf: undefined,
  senders: {
    http: { connectTimeoutMs: 2_000, caFile: null, proxies: { http: null, https: null, no: null } },
    env: process.env,
  },
  timing: { ...NOTIFY_TIMING, scheduleMs: Array(10).fill(50), spacingMs: 10 },
  failpoint(reached) {
    if (reached !== step) return;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
    left -= 1;
  },
  log: silentLog,
  now: Date.now,
});
await notifier.caughtUp();
await notifier.close();
await store.close();
