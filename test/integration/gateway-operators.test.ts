import { expect, test, vi } from 'vitest';
import { formOf, gatewayFolder, gatewayForTest, sandboxDestinations } from '../support/gateway.ts';
import { startHttpServer } from '../support/http-server.ts';
import { sandboxForTest } from '../support/sandbox.ts';

const file = { name: 'secret-name.txt', content: 'hello' };

async function get(url: string, headers: Record<string, string> = {}) {
  const answer = await fetch(url, { headers });
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
}

test('health, readiness and metrics are told, without names, ids and keys', async () => {
  const sandbox = await sandboxForTest();
  const { agent } = sandboxDestinations(sandbox);
  const door = await gatewayForTest({ destinations: { agent } });
  expect(JSON.parse((await get(`${door.url}/healthz`)).text)).toEqual({ status: 'ok' });
  expect(JSON.parse((await get(`${door.url}/readyz`)).text)).toEqual({
    status: 'ok',
    checks: { redis: 'not needed', token: { agent: 'ok' }, disk: 'ok', destinations: { agent: 'ok' } },
  });
  await fetch(`${door.url}/v1/files`, { method: 'POST', body: formOf(file) });
  await fetch(`${door.url}/v1/files`, { method: 'POST', body: 'x' });
  await vi.waitFor(() => expect(door.receipts()).toHaveLength(1));
  const expected = [
    'slipway_gateway_requests_total{route="/",shape="openai",status="200"} 1',
    'slipway_gateway_requests_total{route="/",shape="openai",status="415"} 1',
    'slipway_gateway_bytes_total 5',
    'slipway_gateway_in_flight 0',
    'slipway_files{source="gateway",state="uploaded"} 1',
    'slipway_uploads_total{destination="agent",outcome="uploaded"} 1',
    'slipway_circuit_open{destination="agent"} 0',
  ];
  // What ended is counted a moment after its answer.
  const { type, text } = await vi.waitFor(async () => {
    const told = await get(`${door.url}/metrics`);
    expect(told.text.split('\n')).toEqual(expect.arrayContaining(expected));
    return told;
  });
  expect(type).toMatch(/^text\/plain; version=0.0.4/);
  expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m);
  expect(text).not.toContain('secret-name');
  // Every line is a comment or a sample: what Prometheus' own parser takes.
  for (const line of text.split('\n').filter((one) => one !== '')) {
    expect(line).toMatch(
      /^#|^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*"(,[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*")*,?\})? [0-9eE.+-]+$|NaN$|Inf$/,
    );
  }
  expect((await fetch(`${door.url}/metrics`, { method: 'POST' })).status).toBe(405);
});

test('a destination that refuses us makes the door unready; with keys only callers learn why', async () => {
  const far = await startHttpServer(async (visit) => {
    await visit.body();
    visit.json(401, { error: { message: 'wrong key', code: 'invalid_api_key' } });
  });
  const door = await gatewayForTest(
    {
      destinations: { far: { preset: 'openai', params: { base: far.origin }, token: { env: 'API_KEY' } } },
      gateway: { keys: [{ name: 'team', env: 'K' }] },
    },
    { K: 'the-key' },
  );
  const headers = { authorization: 'Bearer the-key' };
  await fetch(`${door.url}/v1/files`, { method: 'POST', body: formOf(file), headers });
  await vi.waitFor(async () => expect((await get(`${door.url}/readyz`)).status).toBe(503), { interval: 20 });
  expect(JSON.parse((await get(`${door.url}/readyz`)).text)).toEqual({ status: expect.any(String) });
  expect(JSON.parse((await get(`${door.url}/readyz`, headers)).text)).toMatchObject({
    checks: { disk: 'ok' },
  });
  expect((await get(`${door.url}/healthz`)).status).toBe(200);
  expect((await get(`${door.url}/metrics`)).status).toBe(401);
  expect((await get(`${door.url}/metrics`, headers)).status).toBe(200);
  expect((await get(`${door.url}/readyz`, { authorization: 'Bearer wrong' })).status).toBe(401);
});

test('a key may have so many requests a minute and bytes a day, over restarts too', async () => {
  const sandbox = await sandboxForTest();
  const { agent } = sandboxDestinations(sandbox);
  const folder = gatewayFolder();
  const config = {
    destinations: { agent },
    gateway: {
      keys: [
        { name: 'few', env: 'K', rate: { perMinute: 3 } },
        { name: 'small', env: 'S', bytesPerDay: '8B' },
      ],
    },
  };
  const env = { K: 'key-few', S: 'key-small' };
  const first = await gatewayForTest(config, env, folder);
  const ask = async (url: string, key: string) => {
    const headers = { authorization: `Bearer ${key}` };
    return await fetch(`${url}/v1/files`, { method: 'POST', body: formOf(file), headers });
  };
  const told = [];
  for (let count = 0; count < 4; count += 1) told.push(await ask(first.url, 'key-few'));
  expect(told.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
  expect(told.map(({ headers }) => headers.get('x-ratelimit-remaining-requests'))).toEqual([
    '2',
    '1',
    '0',
    '0',
  ]);
  expect(told[0]?.headers.get('x-ratelimit-limit-requests')).toBe('3');
  expect(Number(told[3]?.headers.get('retry-after'))).toBeGreaterThan(30);
  expect((await ask(first.url, 'key-small')).status).toBe(200);
  const over = await ask(first.url, 'key-small');
  expect([over.status, await over.json()]).toMatchObject([429, { error: { code: 'rate_limit_exceeded' } }]);
  await first.stop();
  const door = await gatewayForTest(config, env, folder);
  expect((await ask(door.url, 'key-small')).status).toBe(429);
  expect(sandbox.received()).toHaveLength(4);
});

test('more uploads than maxInFlight, or than a key may have at once, are turned away at once', async () => {
  const { promise: mayAnswer, resolve: answerNow } = Promise.withResolvers<void>();
  const far = await startHttpServer(async (visit) => {
    await visit.body();
    await mayAnswer;
    visit.json(200, {
      id: 'file-1',
      object: 'file',
      bytes: 5,
      created_at: 1,
      filename: 'a.txt',
      purpose: 'user_data',
    });
  });
  const door = await gatewayForTest(
    {
      destinations: {
        far: {
          preset: 'openai',
          params: { base: far.origin },
          token: { env: 'API_KEY' },
          concurrency: { initial: 4 },
        },
      },
      gateway: {
        maxInFlight: 2,
        keys: [
          { name: 'one', env: 'K', concurrency: 1 },
          { name: 'all', env: 'A' },
        ],
      },
    },
    { K: 'key-one', A: 'key-all' },
  );
  const ask = (key: string) =>
    fetch(`${door.url}/v1/files`, {
      method: 'POST',
      body: formOf(file),
      headers: { authorization: `Bearer ${key}` },
    });
  const running = [ask('key-one')];
  await vi.waitFor(() => expect(far.visits()).toBe(1));
  const second = await ask('key-one');
  expect([second.status, second.headers.get('retry-after')]).toEqual([429, '1']);
  running.push(ask('key-all'));
  await vi.waitFor(() => expect(far.visits()).toBe(2));
  const third = await ask('key-all');
  expect([third.status, await third.json()]).toMatchObject([503, { error: { code: 'overloaded' } }]);
  expect(third.headers.get('retry-after')).toBe('1');
  answerNow();
  for (const answer of await Promise.all(running)) expect(answer.status).toBe(200);
});
