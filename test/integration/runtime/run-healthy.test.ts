/** Runs in which Redis keeps what it is given: nothing is lost, said to be lost, or sent twice. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { filePlaces } from '../../../src/queue/job-list.ts';
import { openSourceQueues } from '../../../src/queue/source-queues.ts';
import { expectHealthyRun } from '../../support/healthy-run.ts';
import { runRig } from '../../support/run-rig.ts';
import { autoglm, GIVE_UP_MS, never } from '../../support/run-steps.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

/** As long as a few comparisons of the queue with its owner's books. */
const FILES = 3_000;
/** `queue.maxPending` of a small queue, and uploads at once. */
const MAX_PENDING = 100;
const AT_ONCE = 8;
const DROPS = 6;

test('a run of thousands of files says nothing, loses nothing and sends each once', async () => {
  const sandbox = await sandboxForTest({ capacity: { knee: 16, serviceMs: 30 } });
  const rig = await runRig({ definition: autoglm(sandbox), atOnce: 16 });
  rig.files(FILES);
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(rig.receipts()).toHaveLength(FILES);
  await expectHealthyRun({ rig, run, server: sandbox }, FILES);
});

test('six dropped connections lose no job and hand out no place twice', async () => {
  const sandbox = await sandboxForTest({ capacity: { knee: AT_ONCE, serviceMs: 20 } });
  const rig = await runRig({
    definition: autoglm(sandbox),
    atOnce: AT_ONCE,
    facts: { maxPending: MAX_PENDING },
  });
  const files = 8 * MAX_PENDING;
  rig.files(files);
  const run = await rig.start();
  const asker = rig.redis.connect();
  const queues = openSourceQueues({
    connection: rig.redis.connect(),
    prefix: 'slipway',
    source: 'inbox',
    looks: true,
  });
  onTestFinished(() => queues.close());
  const jobs = async (): Promise<number> => (await filePlaces(queues)).size;
  const ended = run.once(GIVE_UP_MS, never);
  let most = 0;
  const looking = setInterval(() => {
    jobs().then(
      (count) => {
        most = Math.max(most, count);
      },
      () => undefined,
    );
  }, 10);
  for (let drop = 1; drop <= DROPS; drop += 1) {
    const due = (drop * files) / (DROPS + 2);
    await vi.waitFor(() => expect(rig.receipts().length).toBeGreaterThan(due));
    await asker.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await asker.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  }
  expect(await ended).toEqual(['drained']);
  clearInterval(looking);
  expect(most).toBeGreaterThan(MAX_PENDING / 2);
  expect(most).toBeLessThanOrEqual(MAX_PENDING + AT_ONCE);
  const receipts = rig.receipts();
  expect(receipts).toHaveLength(files);
  expect(new Set(receipts.map(({ id }) => id)).size).toBe(files);
  const [source] = (await run.report()).sources;
  expect(source?.lostJobs).toBe(0);
  const said = rig.log.lines.filter(({ level }) => level === 'warn' || level === 'error');
  // Of connections, and of nothing else.
  expect(said.map(({ message }) => message).filter((text) => !text.startsWith('redis connection'))).toEqual(
    [],
  );
});
