/** The one list of configured values that nobody may read: what is on it, and what never is. */
import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';

const ENV = {
  HOST: 'files.host.example',
  BEARER: 'bearer-of-a-header',
  QUERY: 'value-of-a-query',
  TENANT: 'tenant-in-a-field',
  TOKEN: 'token-by-variable',
  KEY: 'key-of-the-signer',
  HOOK: 'hook-in-a-path',
  HOOK_KEY: 'hook-in-a-header',
  PLACE: 'place-in-a-path',
  PURPOSE: 'assistants',
  AGENT: 'agent-in-params',
};

const TEXT = `
destinations:
  own:
    url: https://\${HOST}/up
    query: { k: 'q-\${QUERY}' }
    headers: { X-One: one-header-value, Authorization: 'Bearer \${BEARER}' }
    fields: { tenant: \${TENANT}, folder: scans-of-today, title: 'case-4711-{filename}' }
    token: { env: TOKEN }
    signer: { kind: md5-appid, appid: '1', key: \${KEY} }
    answer: { id: /id }
  known: { preset: openai, fields: { purpose: \${PURPOSE} }, token: { value: token-as-written } }
  agent: { preset: vectorx, params: { agentId: \${AGENT} }, fields: { purpose: 'file-extract' } }
sources:
  a: { path: /srv/\${PLACE}, destination: own }
webhooks:
  - name: hook
    url: https://hooks.example/\${HOOK}
    secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
    headers: { X-Key: '\${HOOK_KEY}' }
`;

test('values of headers, queries, unknown fields, credentials and the variables in them are on the list', async () => {
  const { config } = await loadConfig({ file: null, text: TEXT, env: ENV, cwd: '/' });
  expect([...config.secrets].sort()).toEqual(
    [
      ...['one-header-value', 'Bearer bearer-of-a-header', ENV.BEARER, `q-${ENV.QUERY}`, ENV.QUERY],
      ...[ENV.TENANT, 'scans-of-today', 'case-4711-', ENV.TOKEN, ENV.KEY, 'token-as-written'],
      ...['whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=', ENV.HOOK_KEY],
    ].sort(),
  );
  expect(Object.values(config.definitions).map(({ secrets }) => secrets)).toEqual(
    Array.from({ length: 3 }, () => config.secrets),
  );
});
