import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { Arrival } from '../../../src/domain/lane.ts';
import { silentLog } from '../../../src/domain/log.ts';
import { type Comparable, createContentCheck } from '../../../src/intake/admit/content-check.ts';
import type { EarlierUploads } from '../../../src/intake/admit/earlier-uploads.ts';
import type { HashedFile } from '../../../src/intake/scan/hash-file.ts';
import { NO_UPLOADS } from '../../support/intake-rig.ts';
import { receiptOf } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

const signal = new AbortController().signal;

interface Steps {
  readonly hash: (path: string) => Promise<HashedFile>;
  readonly isThere: () => Promise<boolean>;
  readonly send: (path: string) => Promise<void>;
  readonly uploads: EarlierUploads;
}

/** Files whose content is the first letter of their name; jobs end when the test says so. */
function rig(change: Partial<Steps> = {}) {
  const events: string[] = [];
  const uploaded = new Map<string, string>();
  const ends = new Map<string, () => void>();
  const steps: Steps = {
    hash: async (path) => ({ kind: 'hashed', sha256: path.slice(0, 1) }),
    isThere: async () => true,
    send: async (path) => void events.push(`send ${path}`),
    uploads: {
      ...NO_UPLOADS,
      ofContent: (sha256) => uploaded.get(sha256) ?? null,
      standIn: async (id) => ({ ...receiptOf(uploadedOutcome(id)), sha256: id.slice(0, 1) }),
      untilRecorded: (jobId) => new Promise((resolve) => ends.set(jobId, () => resolve())),
    },
    ...change,
  };
  const check = createContentCheck(steps.uploads, silentLog);
  const one = (path: string, arrival: Arrival = 'backlog'): Comparable => ({
    ...{ jobId: path, path, size: 1, arrival, isThere: steps.isThere },
    hash: () => steps.hash(path),
    reuse: async (upload) => void events.push(`${path} = ${upload.path}`),
    send: () => steps.send(path),
    changed: async () => void events.push(`changed ${path}`),
  });
  return {
    events,
    take: (...paths: string[]) => Promise.all(paths.map((path) => check.take(one(path), signal))),
    takeLive: (path: string) => check.take(one(path, 'live'), signal),
    /** The job has ended; uploaded or not. */
    async end(jobId: string, asUploaded: boolean) {
      await vi.waitFor(() => expect(ends.has(jobId)).toBe(true));
      if (asUploaded) uploaded.set(jobId.slice(0, 1), jobId);
      ends.get(jobId)?.();
    },
    async said(...expected: string[]) {
      await vi.waitFor(() => expect(events.sort()).toEqual(expected.sort()));
    },
  };
}

test('equal files wait for the first of them, and get its upload once that is recorded', async () => {
  const { take, said, end } = rig();
  await take('a1', 'a2', 'b1', 'a3');
  await said('send a1', 'send b1');
  await end('a1', true);
  await said('send a1', 'send b1', 'a2 = a1', 'a3 = a1');
  await take('a4');
  await said('send a1', 'send b1', 'a2 = a1', 'a3 = a1', 'a4 = a1');
});

test('where the first was not uploaded the next is sent, and the rest waits for that one', async () => {
  const { take, said, end } = rig();
  await take('a1', 'a2', 'a3');
  await said('send a1');
  await end('a1', false);
  await said('send a1', 'send a2');
  await end('a2', true);
  await said('send a1', 'send a2', 'a3 = a2');
});

test('a file that changed while it was read, or while it waited, is never given another result', async () => {
  const read = rig({ hash: async () => ({ kind: 'changed' }) });
  await read.take('a1');
  await read.said('changed a1');
  const waited = rig({ isThere: async () => false });
  await waited.take('a1', 'a2');
  await waited.said('send a1');
  await waited.end('a1', true);
  await waited.said('send a1', 'changed a2');
});

test('what cannot be read, or compared, is sent for itself', async () => {
  const unreadable = rig({ hash: async () => ({ kind: 'unreadable', error: new Error('EACCES') }) });
  await unreadable.take('a1', 'a2');
  await unreadable.said('send a1', 'send a2');
  const broken = rig({
    async hash() {
      throw new Error('a defect');
    },
  });
  await broken.take('a1');
  await broken.said('send a1');
});

test('a receipt with other bytes than the index says stands for nothing', async () => {
  const { take, said } = rig({
    uploads: {
      ...NO_UPLOADS,
      ofContent: () => 'stale',
      standIn: async () => ({ ...receiptOf(uploadedOutcome('stale')), sha256: 'others' }),
    },
  });
  await take('a1');
  await said('send a1');
});

test('few files are read at once, and whoever brings too many waits', async () => {
  const reading: (() => void)[] = [];
  let most = 0;
  const { take } = rig({
    hash: () =>
      new Promise<HashedFile>((resolve) => {
        most = Math.max(
          most,
          reading.push(() => resolve({ kind: 'changed' })),
        );
      }),
  });
  let taken = 0;
  const taking = (async () => {
    for (let index = 0; index < 1_100; index += 1) {
      await take(`${index}`);
      taken += 1;
    }
  })();
  await vi.waitFor(() => expect(taken).toBe(1_002));
  for (let read = 0; read < 1_100; ) {
    if (reading.length > 0) read += 1;
    reading.shift()?.();
    await nextTurn();
  }
  await taking;
  expect([taken, most]).toEqual([1_100, 2]);
});

test('while the queue has no room nothing more is read, and what was is sent once there is', async () => {
  const sends: (() => void)[] = [];
  let read = 0;
  const { take } = rig({
    async hash(path) {
      read += 1;
      return { kind: 'hashed', sha256: path };
    },
    send: () => new Promise((resolve) => sends.push(() => resolve())),
  });
  for (let index = 0; index < 500; index += 1) await take(`${index}`);
  await vi.waitFor(() => expect(sends.length).toBeGreaterThanOrEqual(200));
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  expect(read).toBeLessThanOrEqual(202);
  for (let sent = 0; sent < 500; sent += 1) {
    while (sends.length === 0) await nextTurn();
    sends.shift()?.();
  }
  expect(read).toBe(500);
});

test('a live file is read before those that were found, and while those wait for room in the queue', async () => {
  const hashed: string[] = [];
  const sent: string[] = [];
  const { take, takeLive } = rig({
    hash: async (path) => {
      hashed.push(path);
      return { kind: 'hashed', sha256: path };
    },
    send: async (path) => {
      sent.push(path);
      // No room for what was found.
      if (path !== 'live') await new Promise(() => {});
    },
  });
  for (let index = 0; index < 400; index += 1) await take(`old ${index}`);
  // So many may wait for room; the rest is not even read.
  await vi.waitFor(() => expect(sent).toHaveLength(200));
  expect(hashed).toHaveLength(200);
  await takeLive('live');
  await vi.waitFor(() => expect(sent.at(-1)).toBe('live'));
  expect(hashed).toHaveLength(201);
});
