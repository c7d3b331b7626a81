/**
 * `run` or `intake` in a process that kills itself between two steps of recording: what the fault harness starts in
 * place of the CLI. Arguments: the role and `--config FILE`; `FAILPOINT=step:passes` says where. Product code has no
 * such switch: it is this entry that wires the failpoint in.
 */
import { parseArgs } from 'node:util';
import { openSession } from '../../src/cli/session.ts';
import { compose } from '../../src/runtime/compose.ts';
import { ownPathsOf, sourcePlans } from '../../src/runtime/plans/source-plans.ts';
import { startRun } from '../../src/runtime/run.ts';
import { dyingAt } from './failpoint.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { config: { type: 'string', default: '' } },
});
const [step = '', passes = '0'] = (process.env.FAILPOINT ?? '').split(':');
const session = await openSession({ config: values.config }, true);
const { plans, definitions } = await sourcePlans([], undefined, session);
const composed = compose(session, definitions, { log: session.log });
const run = await startRun({
  ...composed.run(plans, positionals[0] === 'intake' ? ['intake'] : ['intake', 'worker']),
  ownPaths: ownPathsOf(session, plans),
  onReceipts() {},
  failpoint: dyingAt(step, Number(passes)),
});
process.once('SIGTERM', () => void run.stop(session.config.shutdown.drain));
