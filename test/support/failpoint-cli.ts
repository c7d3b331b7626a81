/**
 * `run` or `intake` in a process that kills itself between two steps of recording: what the fault harness starts in
 * place of the CLI. Arguments: the role and `--config FILE`; `FAILPOINT=step:passes` says where. Product code has no
 * such switch: it is this entry that wires the failpoint in.
 */
import { parseArgs } from 'node:util';
import { openSession, sessionHttp, tellingOf } from '../../src/cli/session.ts';
import { openChosen } from '../../src/runtime/plans/destination-choice.ts';
import { ownPathsOf, sourcePlans } from '../../src/runtime/plans/source-plans.ts';
import { startRun } from '../../src/runtime/run.ts';
import { dyingAt } from './failpoint.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { config: { type: 'string', default: '' } },
});
const [step = '', passes = '0'] = (process.env.FAILPOINT ?? '').split(':');
const session = await openSession({ config: values.config }, true);
const { config, env, log } = session;
const { plans, definitions } = await sourcePlans([], undefined, session);
const http = sessionHttp(session, 64);
const run = await startRun({
  roles: positionals[0] === 'intake' ? ['intake'] : ['intake', 'worker'],
  plans,
  destinations: definitions.map((definition) => ({
    destination: openChosen(definition, { http, env, log }),
    concurrency: definition.concurrency ?? config.worker.concurrency,
    rate: definition.rate,
  })),
  http,
  dataDir: config.dataDir,
  redis: config.redis,
  maxPending: config.queue.maxPending,
  retry: config.retry,
  ownPaths: ownPathsOf(session, plans),
  env: process.env,
  telling: tellingOf(session),
  onReceipts() {},
  failpoint: dyingAt(step, Number(passes)),
  log,
});
process.once('SIGTERM', () => void run.stop(config.shutdown.drain));
