import { expect, test } from 'vitest';
import type { Arrival, Lane } from '../../../src/domain/lane.ts';
import { createQueueQuota } from '../../../src/intake/admit/queue-quota.ts';

const MAX = 1_000;
const CHUNK = 100;

interface Job {
  readonly arrival: Arrival;
  readonly nr: number;
  readonly place: Lane;
}

/** A queue as BullMQ keeps it: what goes ahead is put at the head, the rest at the end. */
function rig(maxPending = MAX) {
  const places = createQueueQuota(maxPending);
  const waiting: Job[] = [];
  const done: Job[] = [];
  const next: Record<Arrival, number> = { live: 0, backlog: 0 };

  /** As much of it as there is room for now, in chunks. */
  function offer(arrival: Arrival, count: number): number {
    let left = count;
    while (left > 0) {
      const grant = places.take(Math.min(CHUNK, left), arrival);
      if (grant === null) break;
      const { place } = grant;
      const jobs = Array.from({ length: grant.count }, () => ({ arrival, nr: next[arrival]++, place }));
      for (const _ of jobs) places.known(place);
      places.giveBack(place, grant.count);
      if (place === 'front') waiting.unshift(...jobs);
      else waiting.push(...jobs);
      left -= grant.count;
    }
    return count - left;
  }

  return {
    offer,
    waiting,
    done,
    upload(count: number) {
      for (const job of waiting.splice(0, count)) {
        done.push(job);
        places.recorded(job.place);
      }
    },
    /** Those that cannot be sent now come back behind the others. */
    putOff(which: (job: Job) => boolean) {
      const put = waiting.filter(which);
      waiting.splice(0, waiting.length, ...waiting.filter((job) => !which(job)), ...put);
    },
  };
}

test('a backlog alone fills the queue but for the reserve, and a live file finds a place and goes first', () => {
  const { offer, waiting, upload, done } = rig();
  offer('backlog', 5_000);
  expect(waiting.length).toBeGreaterThanOrEqual(MAX * 0.8);
  expect(waiting.length).toBeLessThan(MAX);
  expect(offer('live', 1)).toBe(1);
  upload(1);
  expect(done[0]?.arrival).toBe('live');
});

test('live files alone stay in order, and fill the queue but for the reserve', () => {
  const { offer, waiting, upload, done } = rig();
  for (let turn = 0; turn < 200; turn += 1) {
    offer('live', 100);
    expect(waiting.length).toBeLessThan(MAX);
    upload(50);
  }
  expect(done.map(({ nr }) => nr)).toEqual(done.map((_job, index) => index));
  expect(offer('backlog', 100)).toBe(100);
});

test('under a steady overload of live files both go on: the older ones get about a quarter', () => {
  const { offer, waiting, upload, done } = rig();
  offer('backlog', 10_000);
  for (let turn = 0; turn < 3_000; turn += 1) {
    offer('live', 100);
    offer('backlog', 100);
    expect(waiting.length).toBeLessThanOrEqual(MAX);
    upload(3);
  }
  const later = done.slice(1_000);
  const found = later.filter(({ arrival }) => arrival === 'backlog').length / later.length;
  expect(found).toBeGreaterThan(0.2);
  expect(found).toBeLessThan(0.3);
});

test('a burst over a full queue goes roughly in order, and is never displaced behind the backlog', () => {
  const { offer, upload, done } = rig();
  offer('backlog', 10_000);
  let left = 5_000;
  while (done.filter(({ arrival }) => arrival === 'live').length < 5_000) {
    left -= offer('live', left);
    offer('backlog', 100);
    upload(7);
  }
  const order = done.filter(({ arrival }) => arrival === 'live').map(({ nr }) => nr);
  const displaced = order.map((nr, index) => Math.abs(nr - index));
  // Of those in line behind the whole backlog there may be a few.
  expect(displaced.filter((by) => by > 256).length).toBeLessThanOrEqual(16);
});

test('a backlog that cannot move holds no live file up', () => {
  const { offer, upload, done, putOff } = rig();
  offer('backlog', 10_000);
  const isLive = ({ arrival }: Job): boolean => arrival === 'live';
  let turns = 0;
  for (let left = 3_000; done.filter(isLive).length < 3_000; turns += 1) {
    left -= offer('live', left);
    putOff((job) => !isLive(job));
    expect(done.every(isLive)).toBe(true);
    upload(2);
    expect(turns).toBeLessThan(1_600);
  }
});

test('the smallest queues take one of either kind', () => {
  for (const maxPending of [1, 2, 3, 7]) {
    for (const arrival of ['live', 'backlog'] as const) {
      const { offer, waiting, upload } = rig(maxPending);
      // The first chunk fits always.
      offer(arrival, 1);
      offer(arrival, 1);
      expect(waiting.length).toBeGreaterThanOrEqual(1);
      expect(waiting.length).toBeLessThanOrEqual(maxPending);
      upload(waiting.length);
      expect(offer(arrival === 'live' ? 'backlog' : 'live', 1)).toBe(1);
    }
  }
});

test('where little may be pending, files that come live all the time leave the found ones room for a chunk', () => {
  for (const maxPending of [8, 20, 100, 400, 1_000]) {
    const places = createQueueQuota(maxPending);
    // As admission asks for it.
    const chunk = Math.min(CHUNK, Math.floor(maxPending / 4));
    const live: Lane[] = [];
    const fill = (): void => {
      for (let grant = places.take(1, 'live'); grant !== null; grant = places.take(1, 'live')) {
        places.known(grant.place);
        places.giveBack(grant.place, 1);
        live.push(grant.place);
      }
    };
    let isIn = false;
    // Whoever asks first gets it: the live ones have asked whenever a place became free.
    for (let turn = 0; turn < 3 * maxPending && !isIn; turn += 1) {
      fill();
      isIn = places.take(chunk, 'backlog') !== null;
      const place = live.shift();
      if (place !== undefined) places.recorded(place);
    }
    expect([maxPending, isIn]).toEqual([maxPending, true]);
  }
});

test('a backlog that cannot move and a live file that is tried for hours hold no other live file up', () => {
  const { offer, waiting, upload, done, putOff } = rig();
  const isStuck = ({ arrival, nr }: Job): boolean => arrival === 'backlog' || nr % 1_000 === 0;
  offer('backlog', 10_000);
  let turns = 0;
  for (let left = 3_000; done.length < 2_997; turns += 1) {
    left -= offer('live', left);
    putOff(isStuck);
    upload(Math.min(2, waiting.filter((job) => !isStuck(job)).length));
    expect(turns).toBeLessThan(6_000);
  }
  expect(done.some(isStuck)).toBe(false);
});
