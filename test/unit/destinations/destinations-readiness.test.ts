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

const noWord = () => expect.fail('the answer is a file object');

test('a file object without a state is pending', async () => {
  const get = () => Promise.resolve(answerOf(200, { id: 'x' }));
  await expect(pollReadiness(plan, 'x', get, noWord)).resolves.toBe('pending');
});

function opened(env: Record<string, string>) {
  return openDestination(definition, {
    fetchText: () => Promise.reject(new Error('not used')),
    ...{ log: silentLog, now: () => 0, random: () => 0.5, env },
  });
}

test.each<[string, Answer, object]>([
  [
    'a 404, of a store that has not caught up or of a file that is gone',
    answerOf(404, { error: { message: 'no such file' } }),
    { kind: 'unavailable', code: 'file_unknown', message: expect.stringContaining('no such file') },
  ],
  ['a 429', answerOf(429, '', { 'retry-after': '7' }), { kind: 'throttled', retryAfterMs: 7_000 }],
  ['a 500', answerOf(500, '<html>'), { kind: 'unavailable' }],
  [
    'a page',
    answerOf(200, '<html><title>Sign in</title>'),
    { code: 'bad_answer', message: expect.stringContaining('Sign in') },
  ],
  ['a list', answerOf(200, [1]), { kind: 'unavailable' }],
  ['a redirect', answerOf(302, { status: 'processed' }, { location: '/login' }), { code: 'bad_answer' }],
  ['a 400', answerOf(400, { error: { message: 'odd id' } }), { kind: 'unavailable' }],
  ['a 403 of the API', answerOf(403, { error: { message: 'not yours' } }), { kind: 'misconfigured' }],
  ['a 403 of a firewall', answerOf(403, '<html>'), { kind: 'unavailable' }],
  ['an empty account', answerOf(402, { error: { message: 'pay' } }), { kind: 'exhausted' }],
])('%s is told as what it is, never as a file that is still being processed', async (_what, answer, look) => {
  const destination = opened({ DASHSCOPE_API_KEY: 'sk-a' });
  expect(await destination.readiness?.poll('f', () => Promise.resolve(answer), never)).toMatchObject(look);
});

test('a look goes to the file’s own address, whatever its id holds', async () => {
  const urls: string[] = [];
  await pollReadiness(
    plan,
    'a/b?c $& d',
    (url) => {
      urls.push(url);
      return Promise.resolve(answerOf(200, { status: 'processed' }));
    },
    noWord,
  );
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
  const destination = opened(env);
  const seen: unknown[] = [];
  const send = (answer: Answer) => (request: { readonly headers: object }) => {
    seen.push(request.headers);
    return Promise.resolve(answer);
  };
  const first = await destination.readiness?.poll('f', send(answerOf(401, '')), never);
  env.DASHSCOPE_API_KEY = 'sk-new';
  const second = await destination.readiness?.poll('f', send(answerOf(200, { status: 'processed' })), never);
  expect([first, second]).toEqual([expect.objectContaining({ kind: 'unauthenticated' }), 'ready']);
  expect(seen).toEqual([{ Authorization: 'Bearer sk-old' }, { Authorization: 'Bearer sk-new' }]);
});

test('two freshly read tokens that looks are refused with stop the destination, as those of uploads do', async () => {
  const env: Record<string, string> = { DASHSCOPE_API_KEY: 'sk-1' };
  const { readiness } = opened(env);
  const refuse = () => Promise.resolve(answerOf(401, { error: { message: 'bad key' } }));
  expect(await readiness?.poll('f', refuse, never)).toMatchObject({ kind: 'unauthenticated' });
  env.DASHSCOPE_API_KEY = 'sk-2';
  expect(await readiness?.poll('f', refuse, never)).toMatchObject({
    ...{ kind: 'misconfigured', code: 'token_refused', message: expect.stringContaining('bad key') },
  });
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
