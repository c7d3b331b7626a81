import { expect, test } from 'vitest';
import { SlipwayError } from '../../src/domain/errors.ts';
import { silentLog } from '../../src/domain/log.ts';
import { createAdmission, nextGeneration } from '../../src/intake/admission.ts';
import type { AdmissionPorts, AdmittedJob, RecordedVersion } from '../../src/intake/ports.ts';
import type { SeenFile } from '../../src/intake/seen-file.ts';

function file(path: string): SeenFile {
  return { name: { path }, size: 1, mtimeNs: '1000000', mtimeMs: 1, ctimeMs: 1 };
}

function rig(ports: Partial<AdmissionPorts> = {}, options: { maxPending?: number; waitedMs?: number } = {}) {
  const chunks: (readonly AdmittedJob[])[] = [];
  const log: string[] = [];
  const recorded = new Map<string, RecordedVersion>();
  const pending = new Set<string>();
  let clockMs = 0;
  const admission = createAdmission(
    {
      source: 's',
      destination: 'd',
      maxPending: options.maxPending ?? 1_000,
      unchanged: async (files) => files.filter(({ name }) => name.path !== 'gone'),
      withoutOwn: async (files) => files,
      log: { ...silentLog, warn: (_f, m) => void log.push(m), info: (_f, m) => void log.push(m) },
      nowMs: () => clockMs,
      random: () => 0,
    },
    {
      recorded: (id) => recorded.get(id) ?? null,
      isPending: (jobId) => pending.has(jobId),
      async enqueue(jobs) {
        chunks.push(jobs);
        for (const { jobId } of jobs) pending.add(jobId);
      },
      async waitForRoom() {
        clockMs += options.waitedMs ?? 0;
      },
      exclusive: async (work) => await work(),
      ...ports,
    },
  );
  return { admission, chunks, recorded, pending, log };
}

const signal = new AbortController().signal;

test('an unknown version gets generation 0', () => expect(nextGeneration(null)).toBe(0));

test.each(['vanished', 'changed'])(
  'one that was recorded as %s and lies here as it was gets the next generation',
  (code) => {
    expect(nextGeneration({ gen: 2, status: 'skipped', code, again: false })).toBe(3);
  },
);

test.each([
  { gen: 0, status: 'uploaded', code: null, again: false },
  { gen: 0, status: 'failed', code: 'rejected', again: false },
  { gen: 0, status: 'skipped', code: 'too_large', again: false },
  { gen: 0, status: 'skipped', code: 'empty', again: false },
] as const)('one recorded as $status $code needs nothing', (recorded) =>
  expect(nextGeneration(recorded)).toBeNull(),
);

test('one that is to go again gets the next generation, however it ended', () => {
  expect(nextGeneration({ gen: 4, status: 'uploaded', code: null, again: true })).toBe(5);
  expect(nextGeneration({ gen: 0, status: 'failed', code: 'rejected', again: true })).toBe(1);
});

test('a file offered twice, pending or recorded becomes no second job', async () => {
  const { admission, chunks, pending, recorded } = rig();
  admission.offer(file('a'));
  admission.offer(file('a'));
  await admission.flush(signal);
  admission.offer(file('a'));
  await admission.flush(signal);
  expect(chunks.flat()).toHaveLength(1);
  pending.clear();
  recorded.set(chunks.flat()[0]?.id ?? '', { gen: 0, status: 'uploaded', code: null, again: false });
  admission.offer(file('a'));
  await admission.flush(signal);
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
  probe.admission.offer(file('a'));
  await probe.admission.flush(signal);
  const ids = probe.chunks.flat().map(({ id }) => id);
  made.admission.offer(file('a'));
  await made.admission.flush(signal);
  expect(made.chunks).toEqual([]);
});

test('jobs go in chunks of at most 100, and smaller ones where little may be pending', async () => {
  const big = rig();
  for (let i = 0; i < 250; i += 1) big.admission.offer(file(`f${i}`));
  await big.admission.flush(signal);
  expect(big.chunks.map(({ length }) => length)).toEqual([100, 100, 50]);
  const asked: number[] = [];
  const small = rig({ waitForRoom: async (count) => void asked.push(count) }, { maxPending: 28 });
  for (let i = 0; i < 20; i += 1) small.admission.offer(file(`f${i}`));
  await small.admission.flush(signal);
  expect(asked).toEqual([7, 7, 6]);
});

test('after a long wait for room each file is looked at again, and one that went away is dropped', async () => {
  const { admission, chunks } = rig({}, { waitedMs: 5_000 });
  admission.offer(file('gone'));
  admission.offer(file('here'));
  await admission.flush(signal);
  expect(chunks.flat().map(({ job }) => job.path)).toEqual(['here']);
});

test('a queue that refuses is asked again until it takes the jobs, and people are told once', async () => {
  let refusals = 3;
  const { admission, log, chunks } = rig();
  const flaky = rig({
    async enqueue() {
      if (refusals-- > 0) throw new SlipwayError('redis_unreachable', { where: 'x', reason: 'ECONNREFUSED' });
    },
  });
  flaky.admission.offer(file('a'));
  await flaky.admission.flush(signal);
  expect(flaky.admission.admitted()).toBe(1);
  expect(flaky.log).toEqual(['the queue takes no jobs; trying again', 'the queue takes jobs again']);
  admission.offer(file('a'));
  await admission.flush(signal);
  expect([log, chunks.length]).toEqual([[], 1]);
});

test('the signal ends a wait for room', async () => {
  const stop = new AbortController();
  const { admission } = rig({
    waitForRoom: (_count, given) =>
      new Promise((_resolve, reject) => given.addEventListener('abort', () => reject(given.reason))),
  });
  admission.offer(file('a'));
  const flushed = admission.flush(stop.signal);
  stop.abort();
  await expect(flushed).rejects.toThrow('aborted');
});
