import { expect, test } from 'vitest';
import type { Answer, PreparedRequest } from '../../../src/destinations/destination.ts';
import { openDestination } from '../../../src/destinations/open-destination.ts';
import { md5AppidSign, signatureHeaders } from '../../../src/destinations/signer.ts';
import type { FetchText } from '../../../src/destinations/token/token-source.ts';
import type { Log } from '../../../src/domain/log.ts';
import { silentLog } from '../../../src/domain/log.ts';
import { answerOf, definitionFrom, definitionOf } from '../../support/destination-definitions.ts';

const never = new AbortController().signal;
const NOW = 1_700_000_000_000;

/** A token service that gives a new token at every reading. */
function tokenService(prefix = 'token') {
  const service = { readings: 0, underWay: 0, mostUnderWay: 0, down: false };
  const fetchText: FetchText = async () => {
    service.readings += 1;
    service.underWay += 1;
    service.mostUnderWay = Math.max(service.mostUnderWay, service.underWay);
    const body = `${prefix}-${service.readings}`;
    await new Promise((resolve) => setImmediate(resolve));
    service.underWay -= 1;
    if (service.down) throw Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
    return { status: 200, body };
  };
  return { service, fetchText };
}

function opened(
  definition = definitionOf('autoglm'),
  overrides: { fetchText?: FetchText; log?: Log; env?: Record<string, string> } = {},
) {
  const time = { ms: NOW };
  const { service, fetchText } = tokenService();
  const destination = openDestination(definition, {
    fetchText: overrides.fetchText ?? fetchText,
    log: overrides.log ?? silentLog,
    now: () => time.ms,
    random: () => 0.5,
    env: overrides.env ?? {},
  });
  return { destination, service, time };
}

type Opened = ReturnType<typeof opened>['destination'];

function refuse(destination: Opened, request: PreparedRequest, answer: Answer) {
  const verdict = destination.judge(answer, request);
  if (verdict.kind !== 'failed') throw new Error('expected a failure');
  return destination.reconsider(verdict.failure, request, answer);
}

const loggedOut = answerOf(200, { code: 400000, msg: '用户未登录，请重新登录' });
const badSign = (date: string | undefined) =>
  answerOf(200, { code: 400002, msg: '请求签名有问题' }, date === undefined ? {} : { date });

test.each([
  ['1700000000', '2586ea4cc4191242c9acdc2ee7e96ac8'],
  ['1773199477', '8ea317391f073243638dcd5c019ab927'],
])('the signature at %s is the documented one', (timestamp, sign) => {
  expect(md5AppidSign('100003', timestamp, '38d2391985e2369a5fb8227d8e6cd5e5')).toBe(sign);
});

test('a signer counts whole seconds, and none signs nothing', () => {
  const signer = { kind: 'md5-appid', appid: '100003', key: '38d2391985e2369a5fb8227d8e6cd5e5' } as const;
  expect(signatureHeaders(signer, NOW + 999)).toEqual({
    'X-Auth-Appid': '100003',
    'X-Auth-TimeStamp': '1700000000',
    'X-Auth-Sign': '2586ea4cc4191242c9acdc2ee7e96ac8',
  });
  expect(signatureHeaders({ kind: 'none' }, NOW)).toEqual({});
});

test('an AutoGLM request carries token and signature of this very moment', async () => {
  const { destination, time } = opened();
  expect(await destination.authorize(never)).toEqual({
    method: 'POST',
    url: 'https://autoglm-api.autoglm.ai/agentdr/v1/assistant/upload-mix',
    headers: {
      Authorization: 'Bearer token-1',
      'X-Auth-Appid': '100003',
      'X-Auth-TimeStamp': '1700000000',
      'X-Auth-Sign': '2586ea4cc4191242c9acdc2ee7e96ac8',
    },
    fields: [],
    fileField: 'files',
    tokenGeneration: 1,
    tokenFirstUse: true,
    clockGeneration: 0,
  });
  time.ms += 5000;
  const later = await destination.authorize(never);
  expect(later.headers['X-Auth-TimeStamp']).toBe('1700000005');
  expect(later.tokenFirstUse).toBe(false);
});

test('what people and logs see of a destination is its origin', () => {
  const far = opened(
    definitionFrom({ url: 'https://files.example.com/a?key=k', answer: { id: '/id' } }),
  ).destination;
  expect(far).toMatchObject({ origin: 'https://files.example.com', loopback: false });
  expect(opened(definitionOf('vectorx')).destination).toMatchObject({
    origin: 'http://localhost:3000',
    loopback: true,
  });
});

test('a destination without token sends none', async () => {
  const { destination } = opened(definitionOf('vectorx'));
  const request = await destination.authorize(never);
  expect(request).toMatchObject({ headers: {}, fields: [['purpose', 'file-extract']], tokenGeneration: 0 });
});

test('fields may name the file', async () => {
  const { destination } = opened(definitionOf('together'), { env: { TOGETHER_API_KEY: 'k' } });
  const request = await destination.authorize(never, { name: 'a $& b.JSONL' });
  expect(request.fields).toEqual([
    ['file_name', 'a $& b.JSONL'],
    ['file_type', 'jsonl'],
    ['purpose', 'fine-tune'],
  ]);
});

test('200 files at 16 at once succeed while every token dies after 7 uses, with one reading at a time', async () => {
  const { destination, service } = opened();
  const uses = new Map<string, number>();
  /** Slow answers and quick refusals, so that refusals overtake the successes of their token. */
  async function server(request: PreparedRequest): Promise<Answer> {
    const token = request.headers.Authorization ?? '';
    const used = (uses.get(token) ?? 0) + 1;
    uses.set(token, used);
    for (let turns = used > 7 ? 1 : 12; turns > 0; turns -= 1)
      await new Promise((resolve) => setImmediate(resolve));
    return used > 7
      ? loggedOut
      : answerOf(200, { code: 0, data: { oss_info: [{ oss_name: 'n', oss_url: 'https://h.example/n' }] } });
  }
  let left = 200;
  let uploaded = 0;
  const failures: unknown[] = [];
  async function worker(): Promise<void> {
    while (left > 0) {
      left -= 1;
      for (;;) {
        const request = await destination.authorize(never);
        const answer = await server(request);
        const verdict = destination.judge(answer, request);
        if (verdict.kind === 'uploaded') {
          destination.accepted(request);
          uploaded += 1;
          break;
        }
        const ruling = destination.reconsider(verdict.failure, request, answer);
        if (ruling === 'again') continue;
        failures.push(ruling);
        break;
      }
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker));
  expect(failures).toEqual([]);
  expect(uploaded).toBe(200);
  expect(service.mostUnderWay).toBe(1);
  expect(service.readings).toBeLessThan(60);
});

test('a token that has served and is refused is replaced at no cost', async () => {
  const { destination } = opened();
  const first = await destination.authorize(never);
  destination.accepted(first);
  expect(refuse(destination, await destination.authorize(never), loggedOut)).toBe('again');
  const second = await destination.authorize(never);
  expect(second.headers.Authorization).toBe('Bearer token-2');
  destination.accepted(second);
});

test('two freshly read tokens refused in a row stop the destination', async () => {
  const { destination } = opened();
  expect(refuse(destination, await destination.authorize(never), loggedOut)).toBe('again');
  expect(refuse(destination, await destination.authorize(never), loggedOut)).toMatchObject({
    kind: 'misconfigured',
    code: 'token_refused',
    httpStatus: 200,
    message: expect.stringContaining('400000'),
  });
});

test('a stopped destination that is probed gets a fresh token and both chances again', async () => {
  const { destination, service } = opened();
  for (let i = 0; i < 2; i += 1) refuse(destination, await destination.authorize(never), loggedOut);
  expect(service.readings).toBe(2);
  expect(refuse(destination, await destination.authorize(never), loggedOut)).toBe('again');
  expect(service.readings).toBe(3);
});

test('a success in between makes the next refusal the first one again', async () => {
  const { destination } = opened();
  for (let round = 0; round < 5; round += 1) {
    expect(refuse(destination, await destination.authorize(never), loggedOut)).toBe('again');
    destination.accepted(await destination.authorize(never));
    // Not the first use of its reading: says nothing about the credentials.
    expect(refuse(destination, await destination.authorize(never), loggedOut)).toBe('again');
    destination.accepted(await destination.authorize(never));
    refuse(destination, await destination.authorize(never), loggedOut);
  }
});

test('the refusal of an older token is answered by sending again with the current one', async () => {
  const { destination, service } = opened();
  const old = await destination.authorize(never);
  const alsoOld = await destination.authorize(never);
  expect(refuse(destination, old, loggedOut)).toBe('again');
  await destination.authorize(never);
  expect(refuse(destination, alsoOld, loggedOut)).toBe('again');
  await destination.authorize(never);
  expect(service.readings).toBe(2);
});

test('a refusal for want of a token that was never configured says so', async () => {
  const { destination } = opened(definitionOf('vectorx'));
  const request = await destination.authorize(never);
  expect(refuse(destination, request, answerOf(200, { code: 401, msg: 'no key' }))).toMatchObject({
    kind: 'misconfigured',
    code: 'token_missing',
    message: expect.stringContaining('destinations.test.token is not set'),
  });
});

test('a token service that is down delays, and is reported until it is back', async () => {
  const { service, fetchText } = tokenService();
  service.down = true;
  const { destination, time } = opened(definitionOf('autoglm'), { fetchText });
  await expect(destination.authorize(never)).rejects.toMatchObject({
    code: 'token_service_unreachable',
    kind: 'unavailable',
  });
  expect(destination.tokenProblem()).toContain('http://127.0.0.1:18432');
  service.down = false;
  time.ms += 1000;
  await destination.authorize(never);
  expect(destination.tokenProblem()).toBeNull();
});

test.each([
  ['a\r\nX: y', 'token_invalid'],
  ['页面', 'token_invalid'],
  ['', 'token_missing'],
])('the token %j never becomes a header', async (value, code) => {
  const { destination } = opened(definitionOf('openai'), { env: { OPENAI_API_KEY: value } });
  await expect(destination.authorize(never)).rejects.toMatchObject({ code });
});

test('a refused signature is made again with the time of the far side', async () => {
  const { destination } = opened();
  const request = await destination.authorize(never);
  // An hour ahead of us.
  const answer = badSign(new Date(NOW + 3_600_000).toUTCString());
  expect(refuse(destination, request, answer)).toBe('again');
  const second = await destination.authorize(never);
  expect(second.headers['X-Auth-TimeStamp']).toBe('1700003600');
  expect(second.tokenGeneration).toBe(1);
});

test('a signature refused even with the far side’s time stops the destination', async () => {
  const { destination } = opened();
  const date = new Date(NOW + 3_600_000).toUTCString();
  expect(refuse(destination, await destination.authorize(never), badSign(date))).toBe('again');
  expect(refuse(destination, await destination.authorize(never), badSign(date))).toMatchObject({
    kind: 'misconfigured',
    code: 'clock_drift',
    message: expect.stringMatching(/check the clock/),
  });
});

test('uploads signed before the correction are sent again without another correction', async () => {
  const { destination } = opened();
  const early = [
    await destination.authorize(never),
    await destination.authorize(never),
    await destination.authorize(never),
  ];
  const date = new Date(NOW + 3_600_000).toUTCString();
  expect(early.map((request) => refuse(destination, request, badSign(date)))).toEqual([
    'again',
    'again',
    'again',
  ]);
  expect((await destination.authorize(never)).clockGeneration).toBe(1);
});

test('a clock that drifts again after a success is corrected again', async () => {
  const { destination, time } = opened();
  for (let round = 1; round <= 3; round += 1) {
    time.ms += 7_200_000;
    const date = new Date(NOW).toUTCString();
    expect(refuse(destination, await destination.authorize(never), badSign(date))).toBe('again');
    const request = await destination.authorize(never);
    expect(request.headers['X-Auth-TimeStamp']).toBe('1700000000');
    destination.accepted(request);
  }
});

test.each([undefined, 'yesterday'])(
  'without a usable Date (%j) a refused signature is a matter for people',
  async (date) => {
    const { destination } = opened();
    expect(refuse(destination, await destination.authorize(never), badSign(date))).toMatchObject({
      code: 'clock_drift',
    });
  },
);

test('refusals that have nothing to do with credentials stand as they are', async () => {
  const { destination } = opened();
  const request = await destination.authorize(never);
  expect(refuse(destination, request, answerOf(200, { code: 400003, msg: 'x' }))).toMatchObject({
    kind: 'rejected',
  });
});

test('token and signature are in nothing that comes out, even when the far side echoes them', async () => {
  const lines: unknown[] = [];
  const keep = (fields: unknown, message: string) => void lines.push(fields, message);
  const log: Log = { debug: keep, info: keep, warn: keep, error: keep };
  const { fetchText } = tokenService('a-rather-secret-token');
  const { destination } = opened(definitionOf('autoglm'), { fetchText, log });
  const request = await destination.authorize(never);
  const echo = JSON.stringify(request.headers);
  const outs = [
    destination.judge(
      answerOf(200, {
        code: 0,
        echo,
        data: { oss_info: [{ oss_url: 'https://h.example/n', oss_name: 'n' }] },
      }),
      request,
    ),
    destination.judge(answerOf(200, { code: 400003, msg: echo }), request),
    // As the recipe may do it: without the request only the token is known.
    destination.judge(answerOf(200, { code: 400003, msg: request.headers.Authorization })),
    refuse(destination, request, answerOf(200, { code: 400000, msg: echo })),
    lines,
  ];
  const text = JSON.stringify(outs);
  expect(text).not.toContain('a-rather-secret-token');
  expect(text).not.toContain('2586ea4cc4191242c9acdc2ee7e96ac8');
});

test('secret headers and query values of a destination are redacted too', async () => {
  const definition = definitionFrom({
    url: 'https://files.example.com/',
    headers: { 'X-Api-Key': 'header-secret', 'X-Team': 'documents' },
    query: { access_token: 'query-secret' },
    answer: { id: '/id' },
  });
  const { destination } = opened(definition);
  const verdict = destination.judge(
    answerOf(200, { id: 'documents', a: 'header-secret', b: 'query-secret' }),
  );
  expect(verdict).toMatchObject({
    accepted: { fileId: 'documents', remote: { a: '[secret]', b: '[secret]' } },
  });
});

test('a token written into the config is warned about without being shown', () => {
  const lines: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: (fields, message) => void lines.push(JSON.stringify(fields) + message),
  };
  opened(definitionOf('openai', { token: { value: 'sk-written-down' } }), { log });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('token.env');
  expect(lines[0]).not.toContain('sk-written-down');
});

test('a closed destination gives up its token reading', async () => {
  const fetchText: FetchText = (_url, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const { destination } = opened(definitionOf('autoglm'), { fetchText });
  const waiting = destination.authorize(never);
  await destination.close();
  await expect(waiting).rejects.toThrow('closed');
});
