import { expect, onTestFinished, test, vi } from 'vitest';
import { createPendingJobs } from '../../../src/intake/admit/pending-jobs.ts';
import { replayJournal } from '../../../src/ledger/journal/journal-replay.ts';
import { createMutex } from '../../../src/platform/waiting/mutex.ts';
import { watchForLostJobs } from '../../../src/runtime/owner/lost-jobs.ts';
import { lineOf, rememberingLog, storeIn, testFolder } from '../../support/record-rig.ts';
import { jobFor } from '../../support/upload-job.ts';

const IDS = Array.from({ length: 30 }, (_, index) => jobFor(`${index}.txt`).jobId);

async function watched(before: { recorded?: readonly string[]; inHand?: readonly string[] } = {}) {
  const store = await storeIn(testFolder());
  await store.journal.append((before.recorded ?? []).map((path) => lineOf(path)));
  await replayJournal({ ...store, log: rememberingLog() });
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
  /** Jobs that a worker holds. */
  const inHand = new Set<string>(before.inHand ?? []);
  /** What Redis held whenever workers were told that they may take it. */
  const marks: string[][] = [];
  let busy = false;
  const locked: typeof exclusive = (work) =>
    exclusive(async () => {
      busy = true;
      return await work().finally(() => {
        busy = false;
      });
    });
  const watch = watchForLostJobs({
    ...{ source: 'inbox', pending, exclusive: locked, ledger: store.ledger, log, everyMs: 5, momentMs: 1 },
    inHand: { by: () => null },
    queue: {
      async jobs() {
        held.push(busy);
        compared += 1;
        return new Map([...redis].map((jobId) => [jobId, { state: 'waiting', carrier: null }] as const));
      },
      async remove(jobIds) {
        for (const jobId of jobIds) if (!inHand.has(jobId)) redis.delete(jobId);
        return jobIds.filter((jobId) => inHand.has(jobId));
      },
      async counts() {
        held.push(busy);
        counted += 1;
        return { waiting: redis.size, active: 0, delayed: 0, finished: 0, carriers: 0 };
      },
    },
    redis: {
      onBack(listener) {
        back.resolve(listener);
        return () => undefined;
      },
    },
    runId: async () => 'run',
    async compared() {
      marks.push([...redis]);
    },
    heldMs: 200,
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
  const { first } = watch;
  const afterLooks = async (): Promise<void> => {
    const seen = counted;
    await vi.waitFor(() => expect(counted).toBeGreaterThan(seen + 2));
  };
  const seen = () => ({ lost, requeued, lines: log.lines.map(({ message }) => message) });
  const looks = { held, marks, compared: () => compared };
  return { pending, redis, inHand, exclusive: locked, first, reconnected, afterLooks, seen, ...looks };
}

const NOTHING = { lost: 0, requeued: 0, lines: [] };

test('as long as Redis holds what has no receipt nothing is said, also after a reconnect', async () => {
  const { first, reconnected, afterLooks, seen, held, compared } = await watched();
  await first;
  await afterLooks();
  expect(compared()).toBe(1);
  reconnected();
  await vi.waitFor(() => expect(compared()).toBe(2));
  await afterLooks();
  expect(seen()).toEqual(NOTHING);
  // Neither a count nor a list is read while somebody adds, or frees ids.
  expect(new Set(held)).toEqual(new Set([true]));
});

test('jobs on their way into the queue, or just recorded, are not lost', async () => {
  const { pending, redis, exclusive, first, afterLooks, reconnected, seen, compared } = await watched();
  await first;
  const adding = Promise.withResolvers<void>();
  const added = exclusive(async () => {
    pending.add(['f00-0']);
    await adding.promise;
    redis.add('f00-0');
  });
  reconnected();
  adding.resolve();
  await added;
  await vi.waitFor(() => expect(compared()).toBe(2));
  const [one = ''] = IDS;
  // Committed, and taken out of Redis; who waits for its id hears of it a moment later.
  pending.recorded(one);
  redis.delete(one);
  await afterLooks();
  expect(seen()).toEqual(NOTHING);
  expect(compared()).toBe(2);
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

test('what is recorded is taken out before workers are told that they may take jobs, at the start and after a reconnect', async () => {
  const { first, redis, reconnected, marks, pending, seen } = await watched({ recorded: ['0.txt', '1.txt'] });
  const [zero = '', one = ''] = IDS;
  await first;
  expect(marks).toEqual([IDS.slice(2)]);
  expect([...pending.all()].sort()).toEqual(IDS.slice(2).sort());
  // A snapshot of long ago.
  redis.add(zero).add(one);
  const marked = marks.length;
  reconnected();
  await vi.waitFor(() => expect(marks.length).toBeGreaterThan(marked));
  await vi.waitFor(() => expect(marks.at(-1)).toEqual(IDS.slice(2)));
  expect(seen()).toMatchObject({ lost: 0, requeued: 0 });
});

test('a recorded job that a worker still held is waited for until its lock has run out, but not for ever', async () => {
  const [zero = ''] = IDS;
  const freed = await watched({ recorded: ['0.txt'], inHand: [zero] });
  await vi.waitFor(() => expect(freed.compared()).toBe(1));
  expect(freed.marks).toEqual([]);
  freed.inHand.clear();
  await freed.first;
  expect(freed.marks).toEqual([IDS.slice(1)]);
  const busy = await watched({ recorded: ['0.txt'], inHand: [zero] });
  await busy.first;
  expect(busy.marks).toEqual([IDS]);
});

test('a job that stands in no list any more and that a worker holds is pending still', async () => {
  const [zero = ''] = IDS;
  const { first, redis, inHand, pending, afterLooks, seen } = await watched();
  await first;
  inHand.add(zero);
  redis.delete(zero);
  await afterLooks();
  expect(seen()).toEqual(NOTHING);
  expect(pending.has(zero)).toBe(true);
  inHand.clear();
  await vi.waitFor(() => expect(seen().lost).toBe(1));
});
