import { expect, test } from 'vitest';
import type { Answer } from '../../../src/destinations/destination.ts';
import { openDestination } from '../../../src/destinations/open-destination.ts';
import {
  createPollSlots,
  nextPoll,
  pollReadiness,
  readinessIn,
} from '../../../src/destinations/readiness.ts';
import { silentLog } from '../../../src/domain/log.ts';
import { answerOf, definitionOf } from '../../support/destination-definitions.ts';

const never = new AbortController().signal;
const definition = definitionOf('dashscope', { waitUntilReady: true });
const plan = definition.readiness ?? expect.fail('dashscope has a readiness plan');

test.each([
  ['processed', 'ready'],
  ['error', 'failed'],
  ['uploaded', 'pending'],
  ['processing', 'pending'],
  ['a state of the future', 'pending'],
])('a DashScope file that is %s is %s', (status, readiness) => {
  expect(readinessIn(plan, { id: 'x', status })).toBe(readiness);
});

test.each([
  ['a 404 of a store that has not caught up', answerOf(404, { error: { message: 'no such file' } })],
  ['a 429', answerOf(429, '')],
  ['a 500', answerOf(500, '<html>')],
  ['HTML', answerOf(200, '<html>')],
  ['no status', answerOf(200, { id: 'x' })],
  ['a redirect', answerOf(302, { status: 'processed' })],
])('%s leaves the file pending', async (_what, answer: Answer) => {
  await expect(pollReadiness(plan, 'x', () => Promise.resolve(answer))).resolves.toBe('pending');
});

test('a look goes to the file’s own address, whatever its id holds', async () => {
  const urls: string[] = [];
  await pollReadiness(plan, 'a/b?c $& d', (url) => {
    urls.push(url);
    return Promise.resolve(answerOf(200, { status: 'processed' }));
  });
  expect(urls).toEqual(['https://dashscope.aliyuncs.com/compatible-mode/v1/files/a%2Fb%3Fc%20%24%26%20d']);
});

test('looks are an interval apart, the last one is at the deadline, then it is given up', () => {
  const { intervalMs, deadlineMs } = plan;
  expect(nextPoll(plan, 0, 0)).toEqual({ kind: 'poll', atMs: intervalMs });
  expect(nextPoll(plan, 0, deadlineMs - 1)).toEqual({ kind: 'poll', atMs: deadlineMs });
  expect(nextPoll(plan, 0, deadlineMs)).toEqual({ kind: 'give-up' });
});

test('looks at many files keep to the quota together', () => {
  const take = createPollSlots(10);
  expect([take(0), take(0), take(0), take(1000), take(1000)]).toEqual([0, 100, 200, 1000, 1100]);
});

test('a look carries the token but no signature, and a 401 brings a fresh token to the next one', async () => {
  const env: Record<string, string> = { DASHSCOPE_API_KEY: 'sk-old' };
  const destination = openDestination(definition, {
    fetchText: () => Promise.reject(new Error('not used')),
    log: silentLog,
    now: () => 0,
    random: () => 0.5,
    env,
  });
  const seen: unknown[] = [];
  const send = (answer: Answer) => (request: { readonly headers: object }) => {
    seen.push(request.headers);
    return Promise.resolve(answer);
  };
  const first = await destination.readiness?.poll('f', send(answerOf(401, '')), never);
  env.DASHSCOPE_API_KEY = 'sk-new';
  const second = await destination.readiness?.poll('f', send(answerOf(200, { status: 'processed' })), never);
  expect([first, second]).toEqual(['pending', 'ready']);
  expect(seen).toEqual([{ Authorization: 'Bearer sk-old' }, { Authorization: 'Bearer sk-new' }]);
});

test('a destination that was not asked to wait has nothing to wait for', () => {
  const destination = openDestination(definitionOf('dashscope'), {
    fetchText: () => Promise.reject(new Error('not used')),
    log: silentLog,
    now: () => 0,
    random: () => 0.5,
    env: {},
  });
  expect(destination.readiness).toBeNull();
});
