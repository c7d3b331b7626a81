import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { silentLog } from '../../../src/domain/log.ts';
import { atFirstSight } from '../../../src/domain/sight.ts';
import type { Candidate } from '../../../src/intake/admit/candidate.ts';
import { createInFlight } from '../../../src/intake/admit/in-flight.ts';
import { createRecordWithoutJob, type JoblessReceipt } from '../../../src/intake/admit/record-without-job.ts';
import { seenFile } from '../../support/next-generation.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

const never = new AbortController().signal;

function receipts(count: number, from = 0): JoblessReceipt[] {
  return Array.from({ length: count }, (_, index) => {
    const path = `${from + index}`;
    const version = { source: 's', destination: 'd', path, size: 1, mtimeNs: '1' };
    const ruling = { kind: 'upload', gen: 0, asked: false } as const;
    const need: Candidate = {
      jobId: path,
      id: path,
      version,
      file: seenFile(path),
      sight: atFirstSight(0),
      arrival: 'backlog',
      ruling,
      unlimited: false,
    };
    return { need, outcome: uploadedOutcome(path) };
  });
}

/** A recorder that makes receipts durable when the test says so. */
function rig() {
  const durable: (() => void)[] = [];
  const done: string[] = [];
  const settling = createRecordWithoutJob<Candidate>({
    record: () => new Promise((resolve) => durable.push(resolve)),
    done: (needs) => void done.push(...needs.map(({ jobId }) => jobId)),
    log: silentLog,
  });
  return { settling, durable, done };
}

test('receipts go on their way at once until 2,000 are, and then as they become durable', async () => {
  const { settling, durable, done } = rig();
  await settling.settle(receipts(1_999), never);
  await settling.settle(receipts(100, 2_000), never);
  let third = false;
  const waiting = settling.settle(receipts(1, 3_000), never).then(() => {
    third = true;
  });
  await nextTurn();
  expect([third, durable.length, done.length]).toEqual([false, 2, 0]);
  durable[1]?.();
  await waiting;
  expect([durable.length, done.length]).toEqual([3, 100]);
});

test('the signal ends a wait for room', async () => {
  const { settling } = rig();
  await settling.settle(receipts(2_000), never);
  const stop = new AbortController();
  const waiting = settling.settle(receipts(1, 3_000), stop.signal);
  stop.abort();
  await expect(waiting).rejects.toThrow('aborted');
});

test('whoever waits for the open needs is not held up by later ones', async () => {
  const open = createInFlight();
  const [a, b, c] = receipts(3).map(({ need }) => need);
  if (a === undefined || b === undefined || c === undefined) throw new Error('three');
  expect([open.add(a), open.add(a), open.add(b)]).toEqual([true, false, true]);
  let passed = false;
  const waiting = open.passed(never).then(() => {
    passed = true;
  });
  open.add(c);
  open.done([b]);
  await nextTurn();
  expect(passed).toBe(false);
  open.done([a]);
  await waiting;
  expect(open.size()).toBe(1);
});
