import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import {
  autoglmAnswerSchema,
  errorSchema,
  fileListSchema,
  fileObjectSchema,
  readinessSchema,
  vectorxAnswerSchema,
} from '../../src/gateway/operators/api-schemas.ts';
import { formOf, gatewayForTest, sandboxDestinations } from '../support/gateway.ts';
import { startTestRedis } from '../support/redis-server.ts';
import { sandboxForTest } from '../support/sandbox.ts';

const file = { name: 'a.txt', content: 'hello' };

async function json(url: string, body?: FormData): Promise<unknown> {
  const answer = await fetch(url, body === undefined ? {} : { method: 'POST', body });
  return await answer.json();
}

test('the OpenAPI document is a valid one, and what the door answers is what it says', async () => {
  const sandbox = await sandboxForTest();
  const { agent, autoglm } = sandboxDestinations(sandbox);
  const door = await gatewayForTest({
    destinations: { agent, autoglm },
    gateway: { routes: { '/': { destination: 'agent' }, '/pictures': { destination: 'autoglm' } } },
  });
  const document = (await json(`${door.url}/openapi.json`)) as {
    openapi: string;
    paths: Record<string, object>;
  };
  expect(document.openapi).toBe('3.1.0');
  const { valid, errors } = await new Validator().validate(document);
  expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
  for (const path of [
    '/v1/files',
    '/pictures/v1/files/{id}',
    '/pictures/agentdr/v1/assistant/upload-mix',
    '/tus',
  ])
    expect(Object.keys(document.paths)).toContain(path);
  for (const at of ['', '/pictures']) {
    fileObjectSchema.parse(await json(`${door.url}${at}/v1/files`, formOf(file)));
    vectorxAnswerSchema.parse(await json(`${door.url}${at}/upload-openai-file`, formOf(file)));
    autoglmAnswerSchema.parse(
      await json(`${door.url}${at}/agentdr/v1/assistant/upload-mix`, formOf(file, {}, 'files')),
    );
    fileListSchema.parse(await json(`${door.url}${at}/v1/files`));
    errorSchema.parse(await json(`${door.url}${at}/v1/files/unknown`));
  }
  readinessSchema.parse(await json(`${door.url}/readyz`));
});

test('the queues can be looked at and not touched, and say nothing before there is a Redis', async () => {
  const sandbox = await sandboxForTest();
  const redis = await startTestRedis();
  try {
    const destinations = { agent: sandboxDestinations(sandbox).agent };
    const none = await gatewayForTest({ destinations });
    expect((await fetch(`${none.url}/queues`)).status).toBe(503);
    const door = await gatewayForTest(
      {
        destinations,
        redis: { url: redis.socketPath },
        gateway: { keys: [{ name: 'team', env: 'K' }] },
      },
      { K: 'key-of-the-team' },
    );
    const headers = { authorization: 'Bearer key-of-the-team' };
    expect((await fetch(`${door.url}/queues`)).status).toBe(401);
    const page = await fetch(`${door.url}/queues`, { headers });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    const html = await page.text();
    const script = /src="(static\/js\/main[^"]+)"/.exec(html)?.[1] ?? '';
    expect((await fetch(`${door.url}/queues/${script}`, { headers })).status).toBe(200);
    const told = await fetch(`${door.url}/queues/api/queues`, { headers });
    const { queues } = (await told.json()) as { queues: { name: string; readOnlyMode: boolean }[] };
    expect(queues).toMatchObject([{ name: '{gateway%2Fagent}', readOnlyMode: true }]);
    const touch = await fetch(`${door.url}/queues/api/queues/x/pause`, { method: 'PUT', headers });
    expect(touch.status).toBe(405);
    await door.stop();
  } finally {
    await redis.close();
  }
});
