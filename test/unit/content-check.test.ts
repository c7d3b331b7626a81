import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { silentLog } from '../../src/domain/log.ts';
import { atFirstSight } from '../../src/domain/sight.ts';
import { type ContentCheckOptions, createContentCheck } from '../../src/intake/content-check.ts';
import type { HashedFile } from '../../src/intake/hash-file.ts';
import type { UploadNeed } from '../../src/intake/open-needs.ts';
import { NO_UPLOADS } from '../support/intake-rig.ts';
import { seenFile } from '../support/next-generation.ts';
import { receiptOf } from '../support/record-rig.ts';
import { uploadedOutcome } from '../support/upload-job.ts';

const signal = new AbortController().signal;

function needOf(path: string, arrival: UploadNeed['arrival'] = 'found'): UploadNeed {
  const file = seenFile(path);
  const version = { source: 's', destination: 'd', path, size: 1, mtimeNs: '1' };
  return {
    jobId: path,
    id: path,
    version,
    file,
    sight: atFirstSight(0),
    arrival,
    ruling: { kind: 'upload', gen: 0, asked: false },
    unlimited: false,
  };
}

/** Files whose content is the first letter of their name; jobs end when the test says so. */
function rig(change: Partial<ContentCheckOptions> = {}) {
  const events: string[] = [];
  const uploaded = new Map<string, string>();
  const ends = new Map<string, () => void>();
  const check = createContentCheck({
    hash: async ({ name }) => ({ kind: 'hashed', sha256: name.path.slice(0, 1) }),
    uploads: {
      ...NO_UPLOADS,
      ofContent: (sha256) => uploaded.get(sha256) ?? null,
      standIn: async (id) => ({ ...receiptOf(uploadedOutcome(id)), sha256: id.slice(0, 1) }),
      untilRecorded: (jobId) => new Promise((resolve) => ends.set(jobId, resolve)),
    },
    isThere: async () => true,
    reuse: async ({ jobId }, { path }) => void events.push(`${jobId} = ${path}`),
    send: async ({ jobId }) => void events.push(`send ${jobId}`),
    changed: async ({ jobId }) => void events.push(`changed ${jobId}`),
    log: silentLog,
    ...change,
  });
  return {
    check,
    events,
    take: (...paths: string[]) => Promise.all(paths.map((path) => check.take(needOf(path), signal))),
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
  const { check } = rig({
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
      await check.take(needOf(`${index}`), signal);
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
  const { check } = rig({
    async hash({ name }) {
      read += 1;
      return { kind: 'hashed', sha256: name.path };
    },
    send: () => new Promise((resolve) => sends.push(resolve)),
  });
  for (let index = 0; index < 500; index += 1) await check.take(needOf(`${index}`), signal);
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
  const { check } = rig({
    hash: async ({ name }) => {
      hashed.push(name.path);
      return { kind: 'hashed', sha256: name.path };
    },
    send: async ({ jobId, arrival }) => {
      sent.push(jobId);
      // No room for what was found.
      if (arrival === 'found') await new Promise(() => {});
    },
  });
  for (let index = 0; index < 400; index += 1) await check.take(needOf(`old ${index}`), signal);
  // So many may wait for room; the rest is not even read.
  await vi.waitFor(() => expect(sent).toHaveLength(200));
  expect(hashed).toHaveLength(200);
  await check.take(needOf('live', 'live'), signal);
  await vi.waitFor(() => expect(sent.at(-1)).toBe('live'));
  expect(hashed).toHaveLength(201);
});
