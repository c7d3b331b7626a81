/** Small files that travel together: each sent once, none held up by another, nothing of them left behind. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { silentLog } from '../../../src/domain/log.ts';
import type { UploadHandler } from '../../../src/domain/upload-step.ts';
import { CARRIER_FILES, type CarriedFile } from '../../../src/queue/carrier.ts';
import { doneKey } from '../../../src/queue/kept-results.ts';
import type { OwnBooks } from '../../../src/queue/own-books.ts';
import { findQueued } from '../../../src/queue/queued-jobs.ts';
import { openUploadQueue, type UploadQueue } from '../../../src/queue/upload-queue.ts';
import {
  openCarrierSplitter,
  openUploadWorker,
  type UploadWorker,
} from '../../../src/queue/upload-worker.ts';
import { createFilesInHand } from '../../../src/runtime/owner/files-in-hand.ts';
import { startTestRedis, type TestRedis } from '../../support/redis-server.ts';
import { jobFor, uploadedOutcome } from '../../support/upload-job.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.close());

const FILES = 2 * CARRIER_FILES + 8;

interface Rig {
  readonly queue: UploadQueue;
  readonly place: { readonly connection: ReturnType<TestRedis['connect']>; prefix: string; source: string };
  /** Recorded, in order. */
  readonly recorded: string[];
  /** Left their carriers. */
  readonly singles: Set<string>;
  readonly books: OwnBooks;
  work(handler: UploadHandler): UploadWorker;
  /** Nothing is in Redis any more. */
  empty(): Promise<void>;
}

let serial = 0;

/** The owner's end and its workers, with books in memory. */
async function withCarriers(body: (rig: Rig) => Promise<void>): Promise<void> {
  serial += 1;
  const place = { connection: redis.connect(), prefix: `c${process.pid}-${serial}`, source: 'inbox' };
  const facts = { ...place, destination: 'dest', log: silentLog, now: Date.now };
  const queue = openUploadQueue(facts);
  const recorded: string[] = [];
  const singles = new Set<string>();
  const inHand = createFilesInHand();
  const books: OwnBooks = {
    isRecorded: (jobId) => recorded.includes(jobId),
    isSingle: (jobId) => singles.has(jobId),
    share: inHand.share,
    async handOver({ id, gen }) {
      await Promise.resolve();
      recorded.push(`${id}-${gen}`);
    },
    async becomeSingle(file, kind, when) {
      singles.add(file.jobId);
      await queue.addSingle(file, kind, when);
    },
    freed: (jobId) => void singles.delete(jobId),
  };
  const workers: UploadWorker[] = [];
  try {
    await body({
      ...{ queue, place, recorded, singles, books },
      work(handler) {
        const worker = openUploadWorker({
          ...{ ...facts, concurrency: 8, handler, own: books },
          onFinished: () => undefined,
        });
        workers.push(worker);
        return worker;
      },
      empty: () =>
        vi.waitFor(async () => {
          expect((await queue.jobs()).size).toBe(0);
          expect(await queue.counts()).toMatchObject({ waiting: 0, active: 0, delayed: 0, carriers: 0 });
        }, 40_000),
    });
  } finally {
    await Promise.all(workers.map((worker) => worker.close(5_000)));
    await queue.close();
  }
}

const filesNamed = (name: string, count = FILES): CarriedFile[] =>
  Array.from({ length: count }, (_, index) => jobFor(`${name}-${index}`));
const add = (queue: UploadQueue, files: readonly CarriedFile[], shared = false): Promise<void> =>
  queue.add(queue.order(files, 'backlog', shared));
const idsOf = (files: readonly CarriedFile[]): string[] => files.map(({ jobId }) => jobId).sort();

test('files travel in carriers of sixteen, each is sent once, and few commands are needed for all', async () => {
  await withCarriers(async ({ queue, place, recorded, work, empty }) => {
    const files = filesNamed('together', 20 * CARRIER_FILES);
    await add(queue, files);
    expect(await queue.counts()).toMatchObject({ waiting: 0, carriers: 20 });
    expect([...(await queue.jobs()).keys()].sort()).toEqual(idsOf(files));
    const found = await findQueued(place, { path: 'together-37' });
    expect(found).toMatchObject([
      { jobId: files[37]?.jobId, state: 'waiting', job: { path: 'together-37' } },
    ]);
    const asker = redis.connect();
    await asker.config('RESETSTAT');
    let sent = 0;
    work(async ({ job }) => {
      sent += 1;
      return { kind: 'settle', outcome: uploadedOutcome(job.path) };
    });
    await vi.waitFor(() => expect(recorded).toHaveLength(files.length), 20_000);
    await vi.waitFor(async () => expect((await asker.keys(`${place.prefix}:*c-*`)).length).toBe(0), 20_000);
    const stats = await asker.info('commandstats');
    const calls = (name: string): number =>
      Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    expect(calls('evalsha') + calls('eval') + calls('mget')).toBeLessThan(files.length / 2);
    expect(sent).toBe(files.length);
    expect([...recorded].sort()).toEqual(idsOf(files));
    await empty();
  });
});

test('where other processes serve the source, and for large files, there are no carriers', async () => {
  await withCarriers(async ({ queue }) => {
    const files = filesNamed('shared', 20);
    const large = files.map(({ jobId, job }) => ({ jobId, job: { ...job, size: 65_537 } }));
    expect(queue.order(files, 'backlog', true)).toMatchObject({ backlog: files, carriers: [] });
    expect(queue.order(large, 'backlog', false)).toMatchObject({ live: large, carriers: [] });
    expect(queue.order(files.slice(0, 2), 'live', false)).toMatchObject({ live: files.slice(0, 2) });
    expect(queue.order(files, 'front', false)).toMatchObject({ ahead: files, carriers: [] });
    const carried = queue.order(files, 'live', false).carriers.map((carrier) => carrier.files.length);
    expect(carried).toEqual([16, 4]);
  });
});

test('a file that has to be tried again leaves its carrier with what it has learnt, and holds up no other', async () => {
  await withCarriers(async ({ queue, recorded, singles, work, empty }) => {
    const files = filesNamed('again');
    await add(queue, files);
    const tries: string[] = [];
    const others = Promise.withResolvers<void>();
    work(async ({ job, first }) => {
      if (job.path !== 'again-3') return { kind: 'settle', outcome: uploadedOutcome(job.path) };
      tries.push(`${job.remoteId ?? 'new'}, ${first === true ? 'first' : 'in line'}`);
      if (tries.length === 1) return { kind: 'retry', delayMs: 50, job: { ...job, remoteId: 'accepted' } };
      await others.promise;
      return { kind: 'settle', outcome: uploadedOutcome(job.path) };
    });
    await vi.waitFor(() => expect(recorded).toHaveLength(FILES - 1), 20_000);
    await vi.waitFor(async () => expect((await queue.counts()).carriers).toBe(0), 20_000);
    expect([...singles]).toEqual([files[3]?.jobId]);
    await vi.waitFor(() => expect(tries).toEqual(['new, in line', 'accepted, first']), 20_000);
    others.resolve();
    await empty();
    expect(recorded).toHaveLength(FILES);
    expect(singles.size).toBe(0);
  });
});

test('a pause puts carriers back as they are; what had been sent by then is not sent again', async () => {
  await withCarriers(async ({ queue, recorded, singles, work, empty }) => {
    const files = filesNamed('paused', CARRIER_FILES);
    await add(queue, files);
    const sent: string[] = [];
    let isOpen = false;
    const worker = work(async ({ job, turn }) => {
      if (!isOpen && sent.length >= 5) {
        await new Promise((resolve) => turn?.addEventListener('abort', resolve));
        return { kind: 'give-back', delayMs: 0 };
      }
      sent.push(job.path);
      return { kind: 'settle', outcome: uploadedOutcome(job.path) };
    });
    await vi.waitFor(() => expect(recorded).toHaveLength(5), 20_000);
    await worker.pause();
    await vi.waitFor(() => expect(worker.active()).toBe(0), 20_000);
    await vi.waitFor(
      async () =>
        expect([...(await queue.jobs()).values()].every(({ state }) => state === 'waiting')).toBe(true),
      20_000,
    );
    expect((await queue.jobs()).size).toBe(CARRIER_FILES);
    expect(singles.size).toBe(0);
    isOpen = true;
    await worker.resume();
    await empty();
    expect(new Set(sent).size).toBe(CARRIER_FILES);
    expect(sent).toHaveLength(CARRIER_FILES);
  });
});

test('a carrier whose lock was lost runs again, and sends nothing again', async () => {
  await withCarriers(async ({ queue, place, recorded, work, empty }) => {
    await add(queue, filesNamed('lost', CARRIER_FILES));
    const connection = redis.connect();
    let sent = 0;
    const runsAgain = Promise.withResolvers<void>();
    work(async ({ job }) => {
      sent += 1;
      if (sent === CARRIER_FILES) {
        const [lock] = await connection.keys(`${place.prefix}:*:lock`);
        await connection.del(lock ?? '');
        const key = lock?.replace(/:lock$/, '') ?? '';
        await vi.waitFor(async () => expect(Number(await connection.hget(key, 'ats'))).toBe(2), 60_000);
        runsAgain.resolve();
      }
      await runsAgain.promise;
      return { kind: 'settle', outcome: uploadedOutcome(job.path) };
    });
    await empty();
    expect(recorded).toHaveLength(CARRIER_FILES);
    expect(sent).toBe(CARRIER_FILES);
  });
});

test('after two stalls each file stands for itself, and so it does in a process that uploads nothing', async () => {
  await withCarriers(async ({ queue, place, books, singles, work, empty, recorded }) => {
    const files = filesNamed('poison', CARRIER_FILES);
    await add(queue, files);
    const connection = redis.connect();
    const [carrier = ''] = await connection.keys(`${place.prefix}:*c-*`);
    await connection.hset(carrier, 'stc', '2');
    const stalled: number[] = [];
    const worker = work(async ({ job, stalledCount }) => {
      stalled.push(stalledCount);
      return { kind: 'settle', outcome: uploadedOutcome(job.path) };
    });
    await empty();
    expect(recorded).toHaveLength(CARRIER_FILES);
    await worker.close(5_000);

    const left = filesNamed('left', CARRIER_FILES);
    await add(queue, left);
    const splitter = openCarrierSplitter({ ...place, log: silentLog }, books);
    await vi.waitFor(
      async () => expect(await queue.counts()).toMatchObject({ waiting: 16, carriers: 0 }),
      20_000,
    );
    expect([...singles].sort()).toEqual(idsOf(left));
    await splitter.close(5_000);
  });
});

test('what somebody has got for a file while it was a job of its own is recorded, not sent', async () => {
  await withCarriers(async ({ queue, place, recorded, work, empty }) => {
    const files = filesNamed('beside', CARRIER_FILES);
    const [one] = files;
    const { connection, prefix, source } = place;
    await connection.set(
      doneKey(prefix, source, one?.jobId ?? ''),
      JSON.stringify(uploadedOutcome('beside-0')),
    );
    await add(queue, files);
    const sent: string[] = [];
    work(async ({ job }) => {
      sent.push(job.path);
      return { kind: 'settle', outcome: uploadedOutcome(job.path) };
    });
    await empty();
    expect(recorded).toHaveLength(CARRIER_FILES);
    expect(sent).not.toContain('beside-0');
    expect(sent).toHaveLength(CARRIER_FILES - 1);
  });
});
