import { expect, test } from 'vitest';
import { createPermits } from '../../../src/traffic/permits.ts';

const never = new AbortController().signal;

test('permits never exceed the limit and go on when one is released', async () => {
  const permits = createPermits(() => 2);
  const first = await permits.acquire('a', never);
  await permits.acquire('a', never);
  const third = permits.acquire('a', never);
  expect(permits.inFlight()).toBe(2);
  expect(permits.waiting()).toBe(1);
  first?.();
  expect(await third).not.toBeNull();
  expect(permits.inFlight()).toBe(2);
});

test('releasing twice frees one permit only', async () => {
  const permits = createPermits(() => 1);
  const release = await permits.acquire('a', never);
  release?.();
  release?.();
  expect(permits.inFlight()).toBe(0);
  await permits.acquire('a', never);
  expect(permits.inFlight()).toBe(1);
});

test('sources take turns, however many wait in one of them', async () => {
  const permits = createPermits(() => 1);
  const served: string[] = [];
  const hold = await permits.acquire('bulk', never);
  const waiting = ['bulk', 'bulk', 'bulk', 'bulk', 'live', 'live'].map(async (source) => {
    const release = await permits.acquire(source, never);
    served.push(source);
    release?.();
  });
  hold?.();
  await Promise.all(waiting);
  expect(served).toEqual(['bulk', 'live', 'bulk', 'live', 'bulk', 'bulk']);
});

test('a limit of 0 holds everybody until pump is called after it has grown', async () => {
  let limit = 0;
  const permits = createPermits(() => limit);
  const one = permits.acquire('a', never);
  expect(permits.inFlight()).toBe(0);
  limit = 1;
  permits.pump();
  expect(await one).not.toBeNull();
});

test('an abort sends the waiter away without a permit and without taking its turn', async () => {
  const permits = createPermits(() => 1);
  const release = await permits.acquire('a', never);
  const gone = new AbortController();
  const aborted = permits.acquire('a', gone.signal);
  const next = permits.acquire('a', never);
  gone.abort();
  expect(await aborted).toBeNull();
  release?.();
  expect(await next).not.toBeNull();
  expect(permits.waiting()).toBe(0);
});

test('dismiss sends away all who wait and leaves those in flight alone', async () => {
  const permits = createPermits(() => 1);
  await permits.acquire('a', never);
  const waiting = [permits.acquire('a', never), permits.acquire('b', never)];
  permits.dismiss();
  expect(await Promise.all(waiting)).toEqual([null, null]);
  expect(permits.inFlight()).toBe(1);
});

test('of one source those that came live go first, in their order, and sources take turns all the same', async () => {
  const permits = createPermits(() => 1);
  const served: string[] = [];
  const hold = await permits.acquire('bulk', never);
  const wait = async (source: string, name: string, first: boolean): Promise<void> => {
    const release = await permits.acquire(source, never, first);
    served.push(name);
    release?.();
  };
  const all = [
    wait('bulk', 'old 1', false),
    wait('bulk', 'old 2', false),
    wait('other', 'other 1', false),
    wait('bulk', 'live 1', true),
    wait('bulk', 'live 2', true),
    wait('other', 'other 2', false),
  ];
  expect(permits.waiting()).toBe(6);
  hold?.();
  await Promise.all(all);
  expect(served).toEqual(['live 1', 'other 1', 'live 2', 'other 2', 'old 1', 'old 2']);
  const [kept, stop] = [await permits.acquire('bulk', never), new AbortController()];
  const waiting = [permits.acquire('bulk', stop.signal, true), permits.acquire('bulk', never, true)];
  stop.abort();
  permits.dismiss('bulk');
  expect(await Promise.all(waiting)).toEqual([null, null]);
  expect(permits.waiting()).toBe(0);
  kept?.();
});
