import { request } from 'node:http';
import { expect, test } from 'vitest';
import { formOf, gatewayForTest, sandboxDestinations } from '../support/gateway.ts';
import { sandboxForTest } from '../support/sandbox.ts';

/** Headers that fetch would not let through. */
function ask(
  url: string,
  path: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('on loopback a foreign Host, Origin or site is turned away, whatever it asks for', async () => {
  const sandbox = await sandboxForTest();
  const { agent } = sandboxDestinations(sandbox);
  const door = await gatewayForTest({
    destinations: { agent },
    gateway: { allowedHosts: ['Door.Example'], allowedOrigins: ['https://app.example'] },
  });
  const status = async (headers: Record<string, string>, path = '/v1/files/file-x') =>
    (await ask(door.url, path, headers)).status;
  const here = new URL(door.url).host;
  expect(await status({})).toBe(404);
  expect(await status({ host: 'door.example' })).toBe(404);
  expect(await status({ host: 'evil.example' })).toBe(403);
  expect(await status({ origin: `http://${here}` })).toBe(404);
  expect(await status({ origin: 'https://evil.example' })).toBe(403);
  expect(await status({ origin: 'null' })).toBe(403);
  expect(await status({ 'sec-fetch-site': 'cross-site' })).toBe(403);
  expect(await status({ host: 'evil.example' }, '/nowhere')).toBe(403);
  const allowed = await ask(door.url, '/v1/files/file-x', {
    origin: 'https://app.example',
    'sec-fetch-site': 'cross-site',
  });
  expect(allowed).toMatchObject({
    status: 404,
    headers: { 'access-control-allow-origin': 'https://app.example' },
  });
});

test('a preflight is answered for allowed origins only', async () => {
  const sandbox = await sandboxForTest();
  const { agent } = sandboxDestinations(sandbox);
  const door = await gatewayForTest({
    destinations: { agent },
    gateway: { allowedOrigins: ['https://app.example'] },
  });
  const preflight = (origin: string) =>
    ask(
      door.url,
      '/v1/files',
      { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      'OPTIONS',
    );
  expect(await preflight('https://app.example')).toMatchObject({
    status: 204,
    headers: {
      'access-control-allow-headers': 'authorization',
      'access-control-allow-methods': expect.stringContaining('POST'),
    },
  });
  expect((await preflight('https://evil.example')).status).toBe(403);
});

test('keys open what they may, before a byte of the body is looked at', async () => {
  const sandbox = await sandboxForTest();
  const { agent, autoglm } = sandboxDestinations(sandbox);
  const door = await gatewayForTest(
    {
      destinations: { agent, autoglm },
      gateway: {
        keys: [
          { name: 'all', env: 'KEY_ALL' },
          { name: 'pictures', env: 'KEY_PICTURES', routes: ['/autoglm'] },
        ],
      },
    },
    { KEY_ALL: 'the-key-of-all', KEY_PICTURES: 'the-key-of-pictures' },
  );
  const upload = async (path: string, key: string | null) => {
    const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` };
    const answer = await fetch(`${door.url}${path}`, {
      method: 'POST',
      headers,
      body: formOf({ name: 'a.txt', content: 'x' }),
    });
    return {
      status: answer.status,
      challenge: answer.headers.get('www-authenticate'),
      body: await answer.json(),
    };
  };
  expect(await upload('/agent/v1/files', null)).toMatchObject({
    status: 401,
    challenge: expect.stringContaining('Bearer'),
    body: { error: { code: 'invalid_api_key' } },
  });
  expect(await upload('/agent/upload-openai-file', 'wrong')).toMatchObject({
    status: 401,
    body: { code: 401 },
  });
  expect(await upload('/agent/v1/files', 'the-key-of-pictures')).toMatchObject({
    status: 403,
    body: { error: { code: 'route_not_allowed' } },
  });
  expect(sandbox.received()).toEqual([]);
  expect(await upload('/autoglm/v1/files', 'the-key-of-pictures')).toMatchObject({ status: 200 });
  expect(await upload('/agent/v1/files', 'the-key-of-all')).toMatchObject({ status: 200 });
  expect((await fetch(`${door.url}/nowhere`)).status).toBe(401);
  expect(JSON.stringify(door.log)).not.toMatch(/the-key-of/);
  expect(door.log.filter(({ key }) => key === 'pictures').length).toBeGreaterThan(0);
});
