/** G5: our credentials are nowhere but in the requests, not even when an answer sends them back. */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import type { FaultPlan } from '../../src/sandbox/trouble/fault-rule.ts';
import { startHttpServer } from '../support/http-server.ts';
import { scriptSign } from '../support/original-script.ts';
import { startTestRedis } from '../support/redis-server.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { filesHolding } from '../support/text-in-folder.ts';
import { watchedTokenService } from '../support/watched-token-service.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

test('no token, signature or Authorization is left in logs, manifest, ledger or Redis, whatever went wrong', async () => {
  const place = await newWorkplace();
  const faults: FaultPlan = [
    { api: 'autoglm', action: '401', every: 9, times: 3 },
    { api: 'autoglm', action: '503', every: 7, times: 3 },
    { api: 'autoglm', action: 'reset-after-body', every: 8, times: 3 },
    { api: 'autoglm', action: 'code', code: 400001, filename: '3.txt' },
    { api: 'autoglm', action: 'code', code: 400002, filename: '5.txt', times: 1 },
    { api: 'token', action: 'token', uses: 11 },
  ];
  const sandbox = await sandboxForTest({ faults });
  const tokens = await watchedTokenService(sandbox.tokenUrl);
  const retry = { baseDelay: '20ms', maxDelay: '100ms' };
  await place.config(
    inboxConfig({ ...sandboxDestination(sandbox), token: { url: tokens.tokenUrl } }, { retry }),
  );
  for (let index = 0; index < 40; index += 1) await place.file(`inbox/${index}.txt`, `file ${index}`);

  const { code, stdout, stderr } = await place.run(['run', '--once', '--json', '--log-level', 'debug']);

  expect(code).toBe(6);
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).id)
      .sort(),
  ).toEqual((await place.receipts()).map(({ id }) => id).sort());
  expect(sandbox.received()).toHaveLength(39);
  const signatures = sandbox.received().map(({ headers }) => scriptSign(headers['x-auth-timestamp'] ?? ''));
  const secrets = [...tokens.handedOut(), ...new Set(signatures)];
  expect(tokens.handedOut().length).toBeGreaterThan(2);
  expect(secrets.filter((secret) => `${stdout}${stderr}`.includes(secret))).toEqual([]);
  expect(await filesHolding(place.folder, secrets)).toEqual([]);
  // The search finds what is there.
  expect(await filesHolding(place.path('inbox'), ['file 39'])).toEqual([
    `${place.path('inbox/39.txt')}: file 39`,
  ]);
});

test.for([
  { answer: 'accepts', code: 0, exit: 0 },
  { answer: 'refuses', code: 400001, exit: 6 },
])(
  'an API that $answer and sends our headers back does not get them recorded or printed',
  async ({ code, exit }) => {
    const place = await newWorkplace();
    const sandbox = await sandboxForTest();
    const tokens = await watchedTokenService(sandbox.tokenUrl);
    const signatures: string[] = [];
    const api = await startHttpServer(async (visit) => {
      await visit.body();
      const { authorization = '', 'x-auth-sign': sign = '' } = visit.request.headers;
      signatures.push(String(sign));
      visit.json(200, {
        code,
        msg: `you said ${authorization} and ${sign}`,
        data: {
          oss_info: [{ oss_name: 'x', oss_url: 'https://files.example/x' }],
          yourHeaders: visit.request.headers,
          nested: [[{ bare: authorization.replace('Bearer ', '') }]],
        },
      });
    });
    const destination = {
      ...sandboxDestination(sandbox),
      url: `${api.origin}/up`,
      token: { url: tokens.tokenUrl },
    };
    await place.config(inboxConfig(destination));
    await place.file('inbox/a.txt', 'a');

    const run = await place.run(['run', '--once', '--json', '--log-level', 'debug']);
    const upload = await place.run(['upload', 'inbox/a.txt', '--log-level', 'debug']);
    const raw = await place.run(['upload', 'inbox/a.txt', '--raw']);

    expect([run.code, upload.code, raw.code]).toEqual([exit, exit, exit]);
    const secrets = [...tokens.handedOut(), ...new Set(signatures)];
    expect(secrets.length).toBeGreaterThanOrEqual(2);
    const printed = [run, upload, raw].map(({ stdout, stderr }) => stdout + stderr).join('');
    expect(secrets.filter((secret) => printed.includes(secret))).toEqual([]);
    expect(await filesHolding(place.folder, secrets)).toEqual([]);
  },
);

test('an API key is in no place either: live Redis with all of its keys, requests over it, and what commands print', async () => {
  const place = await newWorkplace();
  const key = 'sk-secret-4f1c9a77e2';
  const sandbox = await sandboxForTest({
    apiKey: key,
    faults: [
      { api: 'openai', action: '401', after: 1, times: 1 },
      { api: 'openai', action: 'code', code: 'invalid_file', status: 400, filename: 'bad.txt' },
      { api: 'openai', action: '500', filename: 'slow.txt', times: 2 },
    ],
  });
  const redis = await startTestRedis();
  onTestFinished(() => redis.close());
  await place.config(
    inboxConfig(
      { preset: 'openai', params: { base: sandbox.openaiBase }, token: { env: 'MY_KEY' } },
      { redis: { url: redis.socketPath }, retry: { baseDelay: '20ms', maxDelay: '100ms' } },
    ),
  );
  for (const name of ['a.txt', 'b.txt', 'bad.txt', 'slow.txt']) await place.file(`inbox/${name}`, name);
  const env = { ...place.env, MY_KEY: key };
  const running = place.start(['run', '--log-level', 'debug'], { env });
  await place.recorded(4);
  const printed: string[] = [];
  for (const args of [
    ['failed', 'list'],
    ['failed', 'retry'],
    ['resend', 'inbox/a.txt'],
    ['status', '--json'],
    ['trace', 'inbox/bad.txt'],
    ['lookup', 'inbox/a.txt', '--json'],
    ['config', 'show'],
    ['destinations', 'show', 'demo'],
    ['manifest', 'export', '--all'],
    ['nonsense'],
  ]) {
    const { stdout, stderr } = await place.read(args, { env });
    printed.push(stdout, stderr);
  }
  await place.recorded(6);
  const kept = await everythingIn(redis.connect());
  running.signal('SIGTERM');
  const { code, stdout, stderr } = await running.ended;
  expect(code).toBe(0);
  expect([...printed, stdout, stderr].filter((text) => text.includes(key))).toEqual([]);
  expect(kept.filter((text) => text.includes(key))).toEqual([]);
  // It was looked at: the owner's lease is in there.
  expect(kept.some((text) => text.includes(`"pid":${running.pid}`))).toBe(true);
  expect(await filesHolding(place.folder, [key])).toEqual([]);
  expect(sandbox.received().length).toBeGreaterThanOrEqual(4);
});

test('the private Redis keeps what it was told on disk, where it is searched too', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  await place.file('inbox/once-in-a-lifetime.txt', 'x');
  expect((await place.run(['run', '--once'])).code).toBe(0);
  const found = await filesHolding(place.path('data/redis'), ['once-in-a-lifetime']);
  expect(found.length).toBeGreaterThan(0);
});

/** Names and contents of every key, whatever its type. */
async function everythingIn(redis: Redis): Promise<string[]> {
  const texts: string[] = [];
  for (const name of await redis.keys('*')) {
    const bytes = await redis.dumpBuffer(name);
    const type = await redis.type(name);
    texts.push(name, bytes?.toString('latin1') ?? '');
    // Long values are packed in a dump.
    if (type === 'hash') texts.push(JSON.stringify(await redis.hgetall(name)));
    if (type === 'string') texts.push((await redis.get(name)) ?? '');
    if (type === 'list') texts.push(...(await redis.lrange(name, 0, -1)));
    if (type === 'stream') texts.push(JSON.stringify(await redis.xrange(name, '-', '+')));
    if (type === 'zset') texts.push(...(await redis.zrange(name, '0', '-1')));
  }
  return texts;
}

test('configured values come back from an API in every dress and are nowhere: not in receipts, logs or config show', async () => {
  const place = await newWorkplace();
  const secrets = ['header-value-4f1c', 'query/value+4f1c?', 'field-value-4f1c', 'variable&4f1c'];
  const [header = '', query = '', field = '', variable = ''] = secrets;
  const dressed = (text: string): string[] => [
    text,
    encodeURIComponent(text),
    Buffer.from(text).toString('base64'),
    Buffer.from(`user:${text}`).toString('base64'),
  ];
  let refuse = false;
  const api = await startHttpServer(async (visit) => {
    await visit.body();
    const echo = secrets.flatMap(dressed).join(' ');
    if (refuse) visit.json(400, { message: echo });
    else visit.json(200, { id: 'x', echo, [header]: { deep: [echo] } });
  });
  await place.config(
    inboxConfig({
      url: `${api.origin}/up`,
      query: { k: query },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: as it is written in the file
      headers: { 'X-One': header, Authorization: 'Bearer ${VARIABLE}' },
      fields: { tenant: field },
      answer: { id: '/id', message: '/message' },
    }),
  );
  await place.file('inbox/a.txt', 'a');
  const env = { ...place.env, VARIABLE: variable };
  const runs = [await place.run(['run', '--once', '--json', '--log-level', 'debug'], { env })];
  refuse = true;
  await place.file('inbox/b.txt', 'b');
  runs.push(await place.run(['run', '--once', '--json', '--log-level', 'debug'], { env }));
  for (const args of [
    ['config', 'show'],
    ['destinations', 'show', 'demo'],
    ['trace', 'inbox/b.txt'],
  ])
    runs.push(await place.run(args, { env }));
  expect(runs.slice(0, 2).map(({ code }) => code)).toEqual([0, 6]);

  const printed = runs.map(({ stdout, stderr }) => stdout + stderr).join('');
  const forms = secrets.flatMap(dressed).map((text) => text.replace(/=+$/, '').slice(0, -2));
  expect(forms.filter((form) => printed.includes(form))).toEqual([]);
  expect(await filesHolding(place.path('data'), forms)).toEqual([]);
  const receipts = JSON.stringify(await place.receipts());
  expect(forms.filter((form) => receipts.includes(form))).toEqual([]);
  expect(receipts).toContain('[secret]');
});

test.skipIf(process.platform === 'win32')(
  'under any umask others can read nothing of it, and a folder that is open is closed',
  async () => {
    const place = await newWorkplace();
    const sandbox = await sandboxForTest();
    await place.config(inboxConfig(sandboxDestination(sandbox)));
    await place.file('inbox/a.txt', 'a');
    mkdirSync(place.path('data'), { mode: 0o755 });
    const { code, stderr } = await place.run(['run', '--once'], {
      through: (command) => ['sh', '-c', 'umask 000; exec "$@"', 'sh', ...command],
    });
    expect(code).toBe(0);
    expect(stderr).toContain(
      'the data folder was open to other users of this machine: closed to them (0700)',
    );
    const own = readdirSync(place.path('data'), { recursive: true, withFileTypes: true });
    const open = own
      .filter((entry) => !entry.isSymbolicLink())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => (statSync(path).mode & 0o077) !== 0);
    expect(open).toEqual([]);
    expect(statSync(place.path('data')).mode & 0o777).toBe(0o700);
    const again = await place.run(['run', '--once']);
    expect(again.stderr).not.toContain('was open');
  },
);
