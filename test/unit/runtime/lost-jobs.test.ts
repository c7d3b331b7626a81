import { expect, onTestFinished, test, vi } from 'vitest';
import { createPendingJobs } from '../../../src/intake/admit/pending-jobs.ts';
import { createMutex } from '../../../src/platform/waiting/mutex.ts';
import { watchForLostJobs } from '../../../src/runtime/owner/lost-jobs.ts';
import { rememberingLog, storeIn, testFolder } from '../../support/record-rig.ts';
import { jobFor } from '../../support/upload-job.ts';

const IDS = Array.from({ length: 30 }, (_, index) => jobFor(`${index}.txt`).jobId);

async function watched() {
  const store = await storeIn(testFolder());
  const pending = createPendingJobs(1_000);
  const redis = new Set<string>(IDS);
  pending.add(IDS);
  const exclusive = createMutex();
  const log = rememberingLog();
  const back = Promise.withResolvers<() => void>();
  let lost = 0;
  let requeued = 0;
  let compared = 0;
  let counted = 0;
  const held: boolean[] = [];
  let busy = false;
  const locked: typeof exclusive = (work) =>
    exclusive(async () => {
      busy = true;
      return await work().finally(() => {
        busy = false;
      });
    });
  const watch = watchForLostJobs({
    ...{ source: 'inbox', pending, exclusive: locked, ledger: store.ledger, log, everyMs: 5 },
    queue: {
      async jobIds() {
        held.push(busy);
        compared += 1;
        return [...redis];
      },
      async counts() {
        held.push(busy);
        counted += 1;
        return { waiting: redis.size, active: 0, delayed: 0, finished: 0 };
      },
    },
    redis: {
      onBack(listener) {
        back.resolve(listener);
        return () => undefined;
      },
    },
    onLost: (jobs) => {
      lost += jobs;
    },
    requeue: () => {
      requeued += 1;
    },
  });
  onTestFinished(async () => {
    watch.close();
    await store.close();
  });
  const reconnected = await back.promise;
  const afterLooks = async (): Promise<void> => {
    const seen = counted;
    await vi.waitFor(() => expect(counted).toBeGreaterThan(seen + 2));
  };
  const seen = () => ({ lost, requeued, lines: log.lines.map(({ message }) => message) });
  return { pending, redis, exclusive: locked, reconnected, afterLooks, seen, held, compared: () => compared };
}

const NOTHING = { lost: 0, requeued: 0, lines: [] };

test('as long as Redis holds what has no receipt nothing is said, also after a reconnect', async () => {
  const { reconnected, afterLooks, seen, held, compared } = await watched();
  await afterLooks();
  expect(compared()).toBe(0);
  reconnected();
  await vi.waitFor(() => expect(compared()).toBe(1));
  await afterLooks();
  expect(seen()).toEqual(NOTHING);
  // Neither a count nor a list is read while somebody adds, or frees ids.
  expect(new Set(held)).toEqual(new Set([true]));
});

test('jobs on their way into the queue, or just recorded, are not lost', async () => {
  const { pending, redis, exclusive, afterLooks, reconnected, seen, compared } = await watched();
  const adding = Promise.withResolvers<void>();
  const added = exclusive(async () => {
    pending.add(['f00-0']);
    await adding.promise;
    redis.add('f00-0');
  });
  reconnected();
  adding.resolve();
  await added;
  await vi.waitFor(() => expect(compared()).toBe(1));
  const [first = ''] = IDS;
  // Committed, and taken out of Redis; who waits for its id hears of it a moment later.
  pending.recorded(first);
  redis.delete(first);
  await afterLooks();
  expect(seen()).toEqual(NOTHING);
  expect(compared()).toBe(1);
});

test('what is gone is counted and queued again, once', async () => {
  const { pending, redis, afterLooks, seen } = await watched();
  for (const jobId of IDS.slice(0, 7)) redis.delete(jobId);
  await vi.waitFor(() => expect(seen().lost).toBe(7));
  await afterLooks();
  expect(seen()).toEqual({
    lost: 7,
    requeued: 1,
    lines: ['Redis has lost jobs; their files are queued again'],
  });
  expect([...pending.all()].sort()).toEqual(IDS.slice(7).sort());
});
