import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../src/domain/log.ts';
import { corsHeaders } from '../../../src/gateway/access/cors.ts';
import { openKeyring } from '../../../src/gateway/access/keyring.ts';
import { checkOrigin } from '../../../src/gateway/access/origin-check.ts';

const rules = {
  loopback: true,
  allowedHosts: new Set(['gate.example']),
  allowedOrigins: new Set(['https://app.example', 'null']),
};
const strict = { ...rules, allowedOrigins: new Set<string>() };

test.each([
  [{ host: 'localhost:8787' }],
  [{ host: '127.0.0.1:8787' }],
  [{ host: '127.8.9.1' }],
  [{ host: '[::1]:8787' }],
  [{ host: 'LOCALHOST' }],
  [{ host: 'gate.example' }],
  [{ host: 'gate.example:8443' }],
  [{ host: '127.0.0.1:8787', origin: 'http://127.0.0.1:8787' }],
  [{ host: '127.0.0.1:8787', origin: 'https://app.example', 'sec-fetch-site': 'cross-site' }],
  [{ host: '127.0.0.1:8787', origin: 'null' }],
  [{ host: '127.0.0.1:8787', 'sec-fetch-site': 'same-origin' }],
])('%j may speak', (headers) => {
  expect(() => checkOrigin(headers, rules, false)).not.toThrow();
});

test.each([
  [{}],
  [{ host: 'evil.example' }],
  [{ host: '127.0.0.1.evil.example' }],
  [{ host: 'localhost.evil.example:8787' }],
  [{ host: '128.0.0.1' }],
  [{ host: '127.0.0.1:8787', origin: 'https://evil.example' }],
  [{ host: '127.0.0.1:8787', origin: 'http://127.0.0.1:9999' }],
  [{ host: '127.0.0.1:8787', origin: 'http://localhost:8787' }],
  [{ host: '127.0.0.1:8787', origin: 'null' }],
  [{ host: '127.0.0.1:8787', 'sec-fetch-site': 'cross-site' }],
])('%j may not', (headers) => {
  expect(() => checkOrigin(headers, strict, false)).toThrow(expect.objectContaining({ status: 403 }));
});

test('a link from anywhere may open a page, and off loopback keys decide', () => {
  expect(() =>
    checkOrigin({ host: 'localhost', 'sec-fetch-site': 'cross-site' }, strict, true),
  ).not.toThrow();
  expect(() => checkOrigin({ host: 'any.example' }, { ...strict, loopback: false }, false)).not.toThrow();
});

test('a page of another origin is told what it may only where it is allowed', () => {
  expect(corsHeaders('https://app.example', new Set(), '')).toEqual({});
  expect(corsHeaders('https://evil.example', rules.allowedOrigins, '')).toEqual({ vary: 'Origin' });
  expect(corsHeaders('https://app.example', rules.allowedOrigins, 'authorization, x-a')).toMatchObject({
    'access-control-allow-origin': 'https://app.example',
    'access-control-allow-headers': 'authorization, x-a',
  });
});

function ring(keys: Parameters<typeof openKeyring>[0], env: Record<string, string> = {}) {
  let nowMs = 0;
  const keyring = openKeyring(keys, { env, monotonicMs: () => nowMs, log: silentLog });
  return {
    keyring,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

test('a key opens to its name, nothing else opens', () => {
  const { keyring } = ring(
    [
      { name: 'a', env: 'A' },
      { name: 'b', env: 'B', routes: ['/x'] },
    ],
    { A: 'key-a', B: 'key-b' },
  );
  expect(keyring.callerOf('Bearer key-a')).toMatchObject({ name: 'a', routes: null });
  expect(keyring.callerOf('bearer  key-b ')).toMatchObject({ name: 'b', routes: ['/x'] });
  for (const wrong of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer key-c',
    'Basic key-a',
    'key-a',
    'Bearer key-a b',
  ]) {
    expect(() => keyring.callerOf(wrong)).toThrow(
      expect.objectContaining({ status: 401, code: 'invalid_api_key' }),
    );
  }
});

test('keys that are missing are all named at once', () => {
  const keys = [
    { name: 'a', env: 'NOT_THERE' },
    { name: 'b', file: '/nowhere/key' },
  ];
  expect(() => ring(keys)).toThrow(/key a: .*NOT_THERE.*key b: .*\/nowhere\/key/);
});

test('a key file that changes holds within a second, an empty one does not', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-key-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'key');
  writeFileSync(file, 'first\n');
  const { keyring, pass } = ring([{ name: 'a', file }]);
  expect(keyring.callerOf('Bearer first')?.name).toBe('a');
  writeFileSync(file, 'second\n');
  utimesSync(file, 1, 1);
  pass(1_000);
  expect(keyring.callerOf('Bearer second')?.name).toBe('a');
  expect(() => keyring.callerOf('Bearer first')).toThrow();
  writeFileSync(file, '');
  utimesSync(file, 2, 2);
  pass(1_000);
  expect(keyring.callerOf('Bearer second')?.name).toBe('a');
});
