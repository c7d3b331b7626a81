import { expect, test } from 'vitest';
import { jobsInHand } from '../../../src/queue/jobs-in-hand.ts';

test('a job that comes again while its first go is under way shares that go', async () => {
  const hands = jobsInHand<string>();
  const first = Promise.withResolvers<string>();
  const one = hands.share('j', () => first.promise);
  const two = hands.share('j', () => Promise.resolve('a second upload'));
  first.resolve('the only upload');
  expect(await Promise.all([one, two])).toEqual(['the only upload', 'the only upload']);
  expect(await hands.share('j', () => Promise.resolve('a later go'))).toBe('a later go');
});

test('a go that throws is shared too, and does not stand in the way of the next', async () => {
  const hands = jobsInHand<string>();
  const first = Promise.withResolvers<string>();
  const both = [hands.share('j', () => first.promise), hands.share('j', () => Promise.resolve('x'))];
  first.reject(new Error('a defect'));
  expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await hands.share('j', () => Promise.resolve('next'))).toBe('next');
});

test('a job in hand twice counts once, until both have left', () => {
  const hands = jobsInHand<string>();
  const leave = [hands.enter('j'), hands.enter('j'), hands.enter('other')];
  expect(hands.size()).toBe(2);
  leave[0]?.();
  expect(hands.size()).toBe(2);
  leave[1]?.();
  leave[2]?.();
  expect(hands.size()).toBe(0);
});

test('an abort reaches every go under way', async () => {
  const hands = jobsInHand<string>();
  const until = (signal: AbortSignal): Promise<string> =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve(String(signal.reason))));
  const both = [hands.share('a', until), hands.share('b', until)];
  hands.abort('shutdown');
  expect(await Promise.all(both)).toEqual(['shutdown', 'shutdown']);
});
