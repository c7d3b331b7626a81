import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { jwtExpiryMs } from '../../../src/destinations/token/jwt-expiry.ts';
import { type TokenSource, tokenSourceSchema } from '../../../src/destinations/token/token-options.ts';
import { type FetchText, openTokenSource } from '../../../src/destinations/token/token-source.ts';
import { authorizationValue, tokenIn } from '../../../src/destinations/token/token-text.ts';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { jwtUntil } from '../../support/token-sources.ts';

const never = new AbortController().signal;
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-token-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const noFetch: FetchText = () => Promise.reject(new Error('no fetch expected'));

function open(
  source: object,
  ports: { fetchText?: FetchText; env?: Record<string, string | undefined> } = {},
) {
  const parsed: TokenSource = tokenSourceSchema.parse(source);
  return openTokenSource(parsed, { fetchText: ports.fetchText ?? noFetch, env: ports.env ?? process.env });
}

function serving(status: number, body: string) {
  const fetchText: FetchText = () => Promise.resolve({ status, body });
  return open({ url: 'http://127.0.0.1:18432/get_token?key=hidden' }, { fetchText });
}

test.each([
  ['text', 'Bearer abc', 'Bearer abc'],
  ['text with white space around it', '  abc\r\n', 'abc'],
  ['text behind a byte order mark', '\uFEFFabc', 'abc'],
  ['a JSON string', '"Bearer abc"', 'Bearer abc'],
  ['an object with token', '{"token":"abc"}', 'abc'],
  ['an object with access_token', '{"access_token":" abc "}', 'abc'],
  ['an object with bearer_token', '{"bearer_token":"abc"}', 'abc'],
  ['data.token', '{"code":0,"data":{"token":"abc"}}', 'abc'],
  ['data.access_token', '{"data":{"access_token":"abc"}}', 'abc'],
  ['data.bearer_token', '{"token":"","data":{"bearer_token":"abc"}}', 'abc'],
  ['accessToken', '{"accessToken":"abc","refreshToken":"r"}', 'abc'],
  ['data.accessToken', '{"data":{"accessToken":"abc"}}', 'abc'],
  ['data.data.token', '{"code":0,"data":{"data":{"token":"abc"}}}', 'abc'],
  ['text that only looks like JSON', '{abc', '{abc'],
])('a token service may answer with %s', async (_what, body, token) => {
  await expect(serving(200, body).read(never)).resolves.toBe(token);
});

test.each(['', '  \n', '""', '{}', '{"error":"please log in"}', '{"token":null,"data":{"token":7}}'])(
  'in %j there is no token',
  async (body) => {
    await expect(serving(200, body).read(never)).rejects.toMatchObject({
      code: 'token_empty',
      kind: 'misconfigured',
    });
  },
);

test.each([
  [500, 'token_service_unreachable', 'unavailable'],
  [503, 'token_service_unreachable', 'unavailable'],
  [429, 'token_service_unreachable', 'unavailable'],
  [401, 'token_service_refused', 'misconfigured'],
  [404, 'token_service_refused', 'misconfigured'],
  [302, 'token_service_refused', 'misconfigured'],
])('HTTP %d of the token service is %s', async (status, code, kind) => {
  await expect(serving(status, 'x').read(never)).rejects.toMatchObject({ code, kind });
});

test('a token service that cannot be reached delays and is named by its origin alone', async () => {
  const fetchText: FetchText = () =>
    Promise.reject(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }));
  const source = open({ url: 'http://127.0.0.1:18432/get_token?key=hidden' }, { fetchText });
  const error: unknown = await source.read(never).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'token_service_unreachable', kind: 'unavailable', retryable: true });
  expect(error instanceof SlipwayError && error.message).toBe(
    'the token service at http://127.0.0.1:18432 does not answer (ECONNREFUSED): start it or correct token.url',
  );
});

test('the token service is asked with a time-out and a bound', async () => {
  const fetchText = vi.fn<FetchText>(() => Promise.resolve({ status: 200, body: 'abc' }));
  await open({ url: 'http://127.0.0.1:1/', timeout: '3s' }, { fetchText }).read(never);
  expect(fetchText).toHaveBeenCalledWith(
    'http://127.0.0.1:1/',
    expect.objectContaining({ timeoutMs: 3000, maxBytes: 65_536 }),
  );
});

test('an abort is passed on as it is', async () => {
  const reason = new Error('stop');
  const fetchText: FetchText = (_url, { signal }) => Promise.reject(signal.reason);
  await expect(
    open({ url: 'http://127.0.0.1:1/' }, { fetchText }).read(AbortSignal.abort(reason)),
  ).rejects.toBe(reason);
});

test('an environment variable is read, and missing or empty ones are named', async () => {
  await expect(open({ env: 'KEY' }, { env: { KEY: ' abc ' } }).read(never)).resolves.toBe('abc');
  for (const env of [{}, { KEY: ' ' }]) {
    await expect(open({ env: 'KEY' }, { env }).read(never)).rejects.toThrow(
      'no token: environment variable KEY is not set: set it, or configure the token of the destination',
    );
  }
});

test('a written-down token is used as it is', async () => {
  await expect(open({ value: 'abc' }).read(never)).resolves.toBe('abc');
});

test('a token file is read, and read as changed when it is written or replaced', async () => {
  const file = join(folder, 'token');
  writeFileSync(file, 'one\n');
  const source = open({ file });
  await expect(source.read(never)).resolves.toBe('one');
  await expect(source.changed()).resolves.toBe(false);

  writeFileSync(file, 'two-is-longer\n');
  await expect(source.changed()).resolves.toBe(true);
  await expect(source.read(never)).resolves.toBe('two-is-longer');
  await expect(source.changed()).resolves.toBe(false);

  writeFileSync(join(folder, 'next'), 'three-is-long\n');
  renameSync(join(folder, 'next'), file);
  await expect(source.changed()).resolves.toBe(true);
  rmSync(file);
  await expect(source.changed()).resolves.toBe(false);
  await expect(source.read(never)).rejects.toMatchObject({ code: 'token_unreadable', kind: 'misconfigured' });
});

test('what a command prints is the token, and its arguments are passed as they are', async () => {
  const script = 'process.stdout.write(process.argv[1] + "\\n")';
  const source = open({ command: [process.execPath, '-e', script, 'a b;$HOME'] });
  await expect(source.read(never)).resolves.toBe('a b;$HOME');
  expect(source.where).toMatch(/^command node/);
});

test('with shell: true the text goes through the shell, and is never shown', async () => {
  const source = open(
    { command: 'SECRET=abc; echo "$SECRET$MORE"', shell: true },
    { env: { ...process.env, MORE: 'def' } },
  );
  await expect(source.read(never)).resolves.toBe('abcdef');
  expect(source.where).toBe('command (shell)');
});

test.each([
  ['fails', [process.execPath, '-e', 'console.error("sk-secret"); process.exit(3)'], 'exit code 3'],
  ['does not exist', ['/nowhere/at/all'], 'ENOENT'],
  [
    'prints without end',
    [process.execPath, '-e', 'setInterval(() => console.log("x".repeat(9999)), 0)'],
    '65536 bytes',
  ],
])('a command that %s delays the jobs and says so without its output', async (_what, command, reason) => {
  const error: unknown = await open({ command })
    .read(never)
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'token_command_failed', kind: 'unavailable' });
  expect(error instanceof SlipwayError && error.message).toContain(reason);
  expect(error instanceof SlipwayError && error.message).not.toContain('sk-secret');
});

test('a command that hangs is given up on', async () => {
  await expect(open({ command: ['sleep', '600'], timeout: '50ms' }).read(never)).rejects.toThrow(
    'the token command sleep failed (no end within 50ms)',
  );
});

test('a command that is not wanted any more is killed together with what it started', async () => {
  const pidFile = join(folder, 'pid');
  const shell = `sleep 600 & echo $! > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; wait`;
  const stop = new AbortController();
  const reading = open({ command: shell, shell: true }).read(stop.signal);
  await vi.waitFor(() => expect(existsSync(pidFile)).toBe(true), 5000);
  const grandchild = Number(readFileSync(pidFile, 'utf8'));
  expect(isRunning(grandchild)).toBe(true);
  stop.abort(new Error('stop'));
  await expect(reading).rejects.toThrow('stop');
  await vi.waitFor(() => expect(isRunning(grandchild)).toBe(false), 5000);
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A killed process may stay as a zombie where nobody reaps.
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '';
  return !stat.includes(') Z ');
}

test.each([
  ['abc', 'Bearer', 'Bearer abc'],
  ['Bearer abc', 'Bearer', 'Bearer abc'],
  ['bearer abc', 'Bearer', 'bearer abc'],
  ['Bearer\tabc', 'Bearer', 'Bearer abc'],
  ['BEARER \t abc', 'Bearer', 'BEARER abc'],
  ['bearerabc', 'Bearer', 'Bearer bearerabc'],
  ['sk-1', null, 'sk-1'],
])('token %j with scheme %j travels as %j', (token, scheme, header) => {
  expect(authorizationValue(token, scheme, 'x')).toBe(header);
});

test.each([
  ['Bearer', 'token_empty'],
  ['a\r\nHost: evil', 'token_invalid'],
  ['tökén', 'token_invalid'],
  ['please log in', 'token_invalid'],
  ['<!doctype', 'token_invalid'],
  ['a\u0000b', 'token_invalid'],
])('%j is not sent as a token', (token, code) => {
  expect(() => authorizationValue(token, 'Bearer', 'x')).toThrow(expect.objectContaining({ code }));
});

test('a JWT tells its end, anything else does not', () => {
  expect(jwtExpiryMs(jwtUntil(1_800_000_000_000))).toBe(1_800_000_000_000);
  for (const text of ['', 'abc', 'a.b.c', 'a..c', 'eyJhIjoxfQ.eyJhIjoxfQ.x', `x.${btoa('null')}.y`]) {
    expect(jwtExpiryMs(text)).toBeNull();
  }
});

test('a token in an object below an array or a number is not taken', () => {
  expect(() => tokenIn('{"data":[{"token":"abc"}]}', 'x')).toThrow(
    expect.objectContaining({ code: 'token_empty' }),
  );
});
