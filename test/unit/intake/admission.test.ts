import { expect, test } from 'vitest';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { fileVersionId } from '../../../src/domain/file-version.ts';
import { silentLog } from '../../../src/domain/log.ts';
import type { Outcome } from '../../../src/domain/receipt.ts';
import type { SeenTimes } from '../../../src/domain/sight.ts';

import type { AdmissionPorts, AdmittedJob, RecordedVersion } from '../../../src/intake/ports.ts';
import {
  createWatchAdmission,
  type WatchAdmissionOptions,
} from '../../../src/intake/watch/watch-admission.ts';
import { NO_UPLOADS } from '../../support/intake-rig.ts';
import { NO_RULES, seenFile } from '../../support/next-generation.ts';

const file = seenFile;
/** On the wall clock of the rig. */
const SIGHT: SeenTimes = { seenAtMs: -2_000, settledAtMs: -500 };

function rig(
  ports: Partial<AdmissionPorts> = {},
  options: { maxPending?: number; waitedMs?: number; rules?: Partial<WatchAdmissionOptions['rules']> } = {},
) {
  const outcomes: Outcome[] = [];
  const chunks: (readonly AdmittedJob[])[] = [];
  const log: string[] = [];
  const recorded = new Map<string, RecordedVersion>();
  const pending = new Set<string>();
  let clockMs = 0;
  const admission = createWatchAdmission(
    {
      source: 's',
      destination: 'd',
      maxPending: options.maxPending ?? 1_000,
      unchanged: async (files) => files.filter(({ name }) => name.path !== 'gone'),
      known() {},
      withoutOwn: async (files) => files,
      log: { ...silentLog, warn: (_f, m) => void log.push(m), info: (_f, m) => void log.push(m) },
      rules: { ...NO_RULES, ...options.rules },
      openReuse: null,
      nowMs: () => clockMs,
      wallMs: () => 0,
      random: () => 0,
    },
    {
      recorded: (id) => recorded.get(id) ?? null,
      isPending: (jobId) => pending.has(jobId),
      async enqueue(jobs) {
        chunks.push(jobs);
        for (const { jobId } of jobs) pending.add(jobId);
      },
      async waitForRoom(count, arrival) {
        clockMs += options.waitedMs ?? 0;
        return { count, place: arrival, free() {} };
      },
      exclusive: async (work) => await work(),
      async settle(batch) {
        outcomes.push(...batch);
      },
      markDisk(marks) {
        for (const { id, gen, disk } of marks) {
          const known = recorded.get(id);
          if (known?.gen === gen) recorded.set(id, { ...known, disk });
        }
      },
      sendAgain(versions) {
        for (const { id, gen } of versions) {
          const known = recorded.get(id);
          if (known?.gen === gen) recorded.set(id, { ...known, again: true });
        }
      },
      uploads: NO_UPLOADS,
      ...ports,
    },
  );
  return { admission, chunks, outcomes, recorded, pending, log };
}

const signal = new AbortController().signal;

test('a file offered twice, pending or recorded becomes no second job', async () => {
  const { admission, chunks, pending, recorded } = rig();
  admission.offer(file('a'), SIGHT, 'backlog');
  admission.offer(file('a'), SIGHT, 'backlog');
  await admission.flush('backlog', signal);
  admission.offer(file('a'), SIGHT, 'backlog');
  await admission.flush('backlog', signal);
  expect(chunks.flat()).toHaveLength(1);
  pending.clear();
  recorded.set(chunks.flat()[0]?.id ?? '', { gen: 0, status: 'uploaded', code: null, again: false });
  admission.offer(file('a'), SIGHT, 'backlog');
  await admission.flush('backlog', signal);
  expect(chunks.flat()).toHaveLength(1);
  expect(admission.admitted()).toBe(1);
});

test('what the recorder commits while a chunk waits is not queued again', async () => {
  const made = rig({
    exclusive: async (work) => {
      for (const id of ids) made.recorded.set(id, { gen: 0, status: 'uploaded', code: null, again: false });
      return await work();
    },
  });
  const probe = rig();
  probe.admission.offer(file('a'), SIGHT, 'backlog');
  await probe.admission.flush('backlog', signal);
  const ids = probe.chunks.flat().map(({ id }) => id);
  made.admission.offer(file('a'), SIGHT, 'backlog');
  await made.admission.flush('backlog', signal);
  expect(made.chunks).toEqual([]);
});

test('jobs go in chunks of at most 100, and smaller ones where little may be pending', async () => {
  const big = rig();
  for (let i = 0; i < 250; i += 1) big.admission.offer(file(`f${i}`), SIGHT, 'backlog');
  await big.admission.flush('backlog', signal);
  expect(big.chunks.map(({ length }) => length)).toEqual([100, 100, 50]);
  const asked: number[] = [];
  const small = rig(
    {
      async waitForRoom(count, place) {
        asked.push(count);
        return { count, place, free() {} };
      },
    },
    { maxPending: 28 },
  );
  for (let i = 0; i < 20; i += 1) small.admission.offer(file(`f${i}`), SIGHT, 'backlog');
  await small.admission.flush('backlog', signal);
  expect(asked).toEqual([7, 7, 6]);
});

test('after a long wait for room each file is looked at again, and one that went away is dropped', async () => {
  const { admission, chunks } = rig({}, { waitedMs: 5_000 });
  admission.offer(file('gone'), SIGHT, 'backlog');
  admission.offer(file('here'), SIGHT, 'backlog');
  await admission.flush('backlog', signal);
  expect(chunks.flat().map(({ job }) => job.path)).toEqual(['here']);
  expect(chunks.flat()[0]?.job).toMatchObject(SIGHT);
});

test('what waited behind others for room is looked at again, however short its own wait was', async () => {
  const { admission, chunks } = rig({}, { waitedMs: 600, maxPending: 4 });
  for (const path of ['first', 'second', 'gone']) admission.offer(file(path), SIGHT, 'backlog');
  await admission.flush('backlog', signal);
  expect(chunks.flat().map(({ job }) => job.path)).toEqual(['first', 'second']);
});

test('a queue that refuses is asked again until it takes the jobs, and people are told once', async () => {
  let refusals = 3;
  const { admission, log, chunks } = rig();
  const flaky = rig({
    async enqueue() {
      if (refusals-- > 0) throw new SlipwayError('redis_unreachable', { where: 'x', reason: 'ECONNREFUSED' });
    },
  });
  flaky.admission.offer(file('a'), SIGHT, 'backlog');
  await flaky.admission.flush('backlog', signal);
  expect(flaky.admission.admitted()).toBe(1);
  expect(flaky.log).toEqual(['the queue takes no jobs; trying again', 'the queue takes jobs again']);
  admission.offer(file('a'), SIGHT, 'backlog');
  await admission.flush('backlog', signal);
  expect([log, chunks.length]).toEqual([[], 1]);
});

test('the signal ends a wait for room', async () => {
  const stop = new AbortController();
  const { admission } = rig({
    waitForRoom: (_count, _arrival, given) =>
      new Promise((_resolve, reject) => given.addEventListener('abort', () => reject(given.reason))),
  });
  admission.offer(file('a'), SIGHT, 'backlog');
  const flushed = admission.flush('backlog', stop.signal);
  stop.abort();
  await expect(flushed).rejects.toThrow('aborted');
});

test('what the source does not take gets its receipt here, once, and never a job', async () => {
  const { admission, chunks, outcomes, recorded } = rig({}, { rules: { minBytes: 1, maxBytes: 5 } });
  admission.offer(file('ok'), SIGHT, 'backlog');
  admission.offer(file('large', { size: 6 }), SIGHT, 'backlog');
  admission.offer(file('large', { size: 6 }), SIGHT, 'backlog');
  admission.offer(file('none', { size: 0 }), SIGHT, 'backlog');
  expect([...admission.inHand()]).toHaveLength(3);
  await admission.flush('backlog', signal);
  await admission.passed(signal);
  expect([...admission.inHand()]).toEqual([]);
  expect(chunks.flat().map(({ job }) => job.path)).toEqual(['ok']);
  expect(outcomes.map(({ path, status, error, attempts }) => [path, status, error?.code, attempts])).toEqual([
    ['large', 'skipped', 'too_large', 0],
    ['none', 'skipped', 'empty', 0],
  ]);
  for (const { id, gen, error } of outcomes)
    recorded.set(id, { gen, status: 'skipped', code: error?.code ?? null, again: false });
  admission.offer(file('large', { size: 6 }), SIGHT, 'backlog');
  await admission.flush('backlog', signal);
  expect(outcomes).toHaveLength(2);
  expect(outcomes[0]).toMatchObject({ seenMs: 2_000, settledMs: 500 });
});

test('a worker that knows other limits skips a file again, and it is not sent a third time', async () => {
  const { admission, chunks, recorded, pending } = rig();
  admission.offer(file('a'), SIGHT, 'backlog');
  await admission.flush('backlog', signal);
  const [job] = chunks.flat();
  for (const gen of [0, 1, 2]) {
    pending.clear();
    recorded.set(job?.id ?? '', { gen, status: 'skipped', code: 'type', again: false });
    admission.offer(file('a'), SIGHT, 'backlog');
    await admission.flush('backlog', signal);
  }
  expect(chunks.flat().map(({ jobId }) => jobId.split('-')[1])).toEqual(['0', '1']);
});

test('a file that new limits let pass is queued in the end when the queue refuses it at first', async () => {
  let refusals = 1;
  const queued: AdmittedJob[] = [];
  const { admission, recorded } = rig({
    async enqueue(jobs) {
      if (refusals-- > 0) throw new SlipwayError('redis_unreachable', { where: 'x', reason: 'ECONNREFUSED' });
      queued.push(...jobs);
    },
  });
  const { size, mtimeNs } = file('a');
  const id = fileVersionId({ source: 's', destination: 'd', path: 'a', size, mtimeNs });
  recorded.set(id, { gen: 0, status: 'skipped', code: 'type', again: false });
  admission.offer(file('a'), SIGHT, 'backlog');
  await admission.flush('backlog', signal);
  expect(queued.map(({ jobId }) => jobId)).toEqual([`${id}-1`]);
});

test('a job of the same generation in Redis keeps a receipt from being made beside it', async () => {
  const { admission, outcomes, pending } = rig();
  admission.offer(file('a', { size: 9 }), SIGHT, 'backlog');
  await admission.flush('backlog', signal);
  const strict = rig({ isPending: (jobId) => pending.has(jobId) }, { rules: { maxBytes: 1 } });
  strict.admission.offer(file('a', { size: 9 }), SIGHT, 'backlog');
  await strict.admission.flush('backlog', signal);
  expect([outcomes, strict.outcomes]).toEqual([[], []]);
});

test('receipts that cannot be kept hold nothing up and are made again at the next look', async () => {
  let halted = true;
  const made = rig(
    {
      async settle() {
        if (halted) throw new SlipwayError('source_lost', { source: 's' });
      },
    },
    { rules: { maxBytes: 0 } },
  );
  made.admission.offer(file('a'), SIGHT, 'backlog');
  await made.admission.flush('backlog', signal);
  await made.admission.passed(signal);
  halted = false;
  made.admission.offer(file('a'), SIGHT, 'backlog');
  expect([...made.admission.inHand()]).toHaveLength(1);
});
