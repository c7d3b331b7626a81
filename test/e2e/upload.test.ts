/** `slipway upload`: files in, results out, in order, without queue or Redis. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';
import type { SandboxOptions } from '../../src/sandbox/options.ts';
import { errorLine } from '../support/cli.ts';
import { startHttpServer } from '../support/http-server.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { newWorkplace, sandboxDestination, type Workplace } from '../support/workplace.ts';

async function placeWithSandbox(
  options: SandboxOptions = {},
): Promise<{ place: Workplace; sandbox: Sandbox }> {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest(options);
  const concurrency = { initial: 8, max: 8, adaptive: false };
  await place.file('.env', 'QWEN_KEY=sk-test\n');
  await place.config({
    dataDir: './data',
    retry: { baseDelay: '20ms', maxDelay: '50ms', attempts: 3 },
    destinations: {
      demo: sandboxDestination(sandbox, { concurrency }),
      qwen: { preset: 'dashscope', params: { base: sandbox.dashscopeBase }, token: { env: 'QWEN_KEY' } },
      agent: { preset: 'vectorx', url: sandbox.vectorxUrl },
    },
  });
  return { place, sandbox };
}

test('prints one receipt per file in the order named, however the answers come', async () => {
  const { place, sandbox } = await placeWithSandbox({
    faults: [{ api: 'autoglm', action: 'slow', ms: 80, every: 3 }],
  });
  const names = Array.from({ length: 50 }, (_, index) => `many/${50 - index}.txt`);
  for (const name of names) await place.file(name, `content of ${name}`);

  const { code, stdout, stderr } = await place.run(['upload', ...names, '--to', 'demo']);

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const receipts = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(receipts.map(({ path }) => path)).toEqual(names);
  expect(receipts.map(({ sha256 }) => sha256)).toEqual(
    names.map((name) => createHash('sha256').update(`content of ${name}`).digest('hex')),
  );
  expect(receipts[0]).toMatchObject({
    v: 1,
    status: 'uploaded',
    destination: 'demo',
    attempts: 1,
    error: null,
  });
  expect(sandbox.summary().count).toBe(50);
  // Nothing is kept for it: no data folder, no Redis.
  expect((await readdir(place.folder)).sort()).toEqual(['.env', 'home', 'inbox', 'many', 'slipway.yaml']);
});

test('--print gives just what the next program needs', async () => {
  const { place, sandbox } = await placeWithSandbox();
  await place.file('图.png', 'picture');
  const print = async (to: string, form: string): Promise<string> => {
    const result = await place.run(['upload', '图.png', '--to', to, '--print', form]);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout.endsWith('\n')).toBe(true);
    return result.stdout.slice(0, -1);
  };
  const last = () => sandbox.received().at(-1);

  const url = await print('demo', 'url');
  expect(url).toBe(encodeURI(last()?.url ?? ''));
  expect(await print('demo', 'id')).toBe(last()?.id);
  expect(await print('demo', 'ref')).toBe(encodeURI(last()?.url ?? ''));
  expect(JSON.parse(await print('demo', 'message-file'))).toEqual({
    type: 'doc_url',
    doc_url: [encodeURI(last()?.url ?? '')],
  });
  expect(JSON.parse(await print('demo', 'receipt'))).toMatchObject({ fileId: last()?.id, bytes: 7 });

  expect(await print('qwen', 'id')).toBe(last()?.id);
  expect(await print('qwen', 'ref')).toBe(`fileid://${last()?.id}`);
  expect(JSON.parse(await print('agent', 'message-file'))).toMatchObject({
    id: last()?.id,
    filename: '图.png',
    purpose: 'file-extract',
    bytes: 7,
    fileSource: 'openai',
    created_at: expect.any(Number),
  });
});

test('--raw is byte for byte what python’s json.dumps(indent=2, ensure_ascii=False) makes of the answer', async () => {
  const answer =
    '{"code":0,"msg":"成功 \\"quoted\\" \\u0001 \\u2028 é 🎉","time":1795327187311,"empty":{},"none":[],"data":{"message":"","oss_info":[{"oss_name":"a/图#?.png","oss_url":"https://x.example/a/图#?.png","size":0.5,"ok":true,"no":null}]}}';
  const place = await newWorkplace();
  const api = await startHttpServer(async ({ response, body }) => {
    await body();
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(answer);
  });
  await place.config({
    destinations: { demo: { preset: 'autoglm', url: `${api.origin}/up`, token: { value: 'a-token' } } },
  });
  await place.file('a.txt', 'a');

  const { code, stdout } = await place.run(['upload', 'a.txt', '--raw', '--log-level', 'error']);

  expect(code).toBe(0);
  // What python3 prints for it, so that the test needs no Python; checked against it where there is one.
  const expected = `${JSON.stringify(JSON.parse(answer), null, 2)}\n`;
  expect(stdout).toBe(expected);
  const script = 'import json,sys; print(json.dumps(json.load(sys.stdin), indent=2, ensure_ascii=False))';
  const python = pythonPrints(script, answer);
  if (python !== null) expect(stdout).toBe(python);
});

test.for([
  { what: 'an answer above 8 KiB', more: `"pad":"${'p'.repeat(9_000)}"` },
  { what: 'a number that JavaScript cannot hold', more: '"id":1234567890123456789' },
])('--raw prints $what as it came', async ({ more }) => {
  const place = await newWorkplace();
  const answer = `{"code":0,"data":{"oss_info":[{"oss_name":"x","oss_url":"https://x.example/x"}]},${more}}`;
  const api = await startHttpServer(async ({ response, body }) => {
    await body();
    response.end(answer);
  });
  const destination = { preset: 'autoglm', url: `${api.origin}/up`, token: { value: 'a-token' } };
  await place.config({ destinations: { demo: destination } });
  await place.file('a.txt', 'a');
  const { stdout } = await place.run(['upload', 'a.txt', '--raw', '--log-level', 'error']);
  expect(stdout).toContain(more.replace(':', ': '));
});

test('- is standard input, named by --filename, and leaves no copy behind', async () => {
  const { place, sandbox } = await placeWithSandbox();
  const env = { ...place.env, TMPDIR: place.path('home') };
  const args = ['upload', '-', '--filename', 'notes.md', '--to', 'demo', '--print', 'id'];
  const result = await place.run(args, { input: '# Notes\n', env });
  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(sandbox.received()).toMatchObject([
    { filename: 'notes.md', bytes: 8, contentType: expect.stringContaining('text/markdown') },
  ]);
  expect(await readdir(place.path('home'))).toEqual([]);
});

test('what cannot be uploaded is named before anything is sent', async () => {
  const { place, sandbox } = await placeWithSandbox();
  await place.file('good.txt', 'good');
  const result = await place.run(['upload', 'good.txt', 'missing.txt', 'inbox', '--to', 'demo']);
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(errorLine(result)).toMatch(/missing\.txt: no such file; inbox: is a folder: use slipway run/);
  expect(sandbox.summary().count).toBe(0);

  const none = await place.run(['upload', 'good.txt']);
  expect(none.code).toBe(2);
  expect(errorLine(none)).toMatch(/which destination\? Pass --to with one of demo, qwen, agent/);
  const both = await place.run(['upload', 'good.txt', '--to', 'demo', '--raw', '--print', 'url']);
  expect(both.code).toBe(2);
  expect(errorLine(both)).toContain('contradict');
});

test('refused, skipped and failing files set the exit code, and the others are uploaded all the same', async () => {
  const { place, sandbox } = await placeWithSandbox({
    faults: [
      { api: 'autoglm', action: 'code', code: 400001, filename: 'bad.txt' },
      { api: 'autoglm', action: '503', filename: 'busy.txt' },
    ],
  });
  for (const name of ['good.txt', 'bad.txt', 'busy.txt', 'movie.xyz']) await place.file(name, name);
  await place.file('empty.txt', '');
  const upload = (...args: string[]) => place.run(['upload', '--log-level', 'silent', ...args]);

  const refused = await upload('bad.txt', 'good.txt', '--to', 'demo');
  expect(refused.code).toBe(6);
  expect(
    refused.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).status),
  ).toEqual(['failed', 'uploaded']);
  expect(errorLine(refused)).toContain('bad.txt (7 B) failed:');

  const busy = await upload('busy.txt', 'good.txt', '--to', 'demo', '--print', 'url');
  expect(busy.code).toBe(5);
  expect(busy.stdout.trimEnd().split('\n')).toEqual([expect.stringContaining('good.txt')]);

  const skipped = await upload('movie.xyz', '--to', 'qwen');
  expect(skipped.code).toBe(6);
  expect(JSON.parse(skipped.stdout)).toMatchObject({ status: 'skipped', error: { code: 'type' } });

  sandbox.addFaults([{ api: 'autoglm', action: 'code', code: 410000 }]);
  const stopped = await upload('good.txt', 'bad.txt', 'busy.txt', '--to', 'demo');
  expect(stopped.code).toBe(7);
  expect(stopped.stderr).toContain('no right to upload');
});

/** null where there is no python3. */
function pythonPrints(script: string, input: string): string | null {
  try {
    return execFileSync('python3', ['-c', script], {
      input,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, PYTHONIOENCODING: 'utf8' },
    });
  } catch {
    return null;
  }
}

/** As `… | head -1` in a shell that gives the exit code of what stands before it. */
const HEAD = (command: readonly string[]): readonly string[] => [
  'bash',
  '-c',
  'set -o pipefail; "$@" | head -1',
  'bash',
  ...command,
];

test('a reader that takes one line and goes away ends the printing, not the uploads', async () => {
  const { place, sandbox } = await placeWithSandbox({
    faults: [{ api: 'autoglm', action: 'slow', ms: 60, every: 1 }],
  });
  const names = Array.from({ length: 40 }, (_, index) => `many/${index}.txt`);
  for (const name of names) await place.file(name, `content of ${name}`);

  const all = await place.run(['upload', ...names, '--to', 'demo'], { through: HEAD });
  expect(all).toMatchObject({ code: 0, stderr: '' });
  expect(all.stdout.trimEnd().split('\n')).toHaveLength(1);
  expect(sandbox.summary().count).toBe(40);

  await place.file('big.txt', 'x'.repeat(2000));
  await place.config({
    destinations: { demo: sandboxDestination(sandbox, { limits: { maxBytes: '1KB' } }) },
  });
  const skipped = await place.run(['upload', ...names, 'big.txt', '--to', 'demo'], { through: HEAD });
  expect(skipped.code).toBe(6);
  expect(sandbox.summary().count).toBe(80);
});

test('standard input cannot be named twice', async () => {
  const { place } = await placeWithSandbox();
  const result = await place.run(['upload', '-', '-', '--to', 'demo'], { input: 'x' });
  expect(result.code).toBe(2);
  expect(errorLine(result)).toContain('give - once');
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s while standard input is read leaves nothing of it behind', async (signal, code) => {
  const { place, sandbox } = await placeWithSandbox();
  const kept = async (): Promise<string[]> =>
    (await readdir(place.path('home'))).filter((name) => name.startsWith('slipway-stdin-'));
  const env = { ...place.env, TMPDIR: place.path('home') };
  const cli = place.start(['upload', '-', '--to', 'demo'], { interactive: true, env });
  cli.type('half of it');
  await vi.waitFor(async () => expect(await kept()).toHaveLength(1), { timeout: 20_000, interval: 20 });
  cli.signal(signal);
  expect(await cli.ended).toMatchObject({ code, stderr: '' });
  expect(await kept()).toEqual([]);
  expect(sandbox.summary().count).toBe(0);
});

test('--json is --print receipt, and contradicts another form', async () => {
  const { place } = await placeWithSandbox();
  await place.file('a.txt', 'a');
  const receipt = await place.run(['upload', 'a.txt', '--to', 'demo', '--json']);
  expect(JSON.parse(receipt.stdout)).toMatchObject({ path: 'a.txt', status: 'uploaded' });
  const both = await place.run(['upload', 'a.txt', '--to', 'demo', '--json', '--print', 'url']);
  expect(both.code).toBe(2);
  expect(errorLine(both)).toContain('contradict');
});

test('a proxy variable that is no URL is named with the fix', async () => {
  const { place } = await placeWithSandbox();
  await place.file('a.txt', 'a');
  const args = ['upload', 'a.txt', '--to', 'demo'];
  const wrong = await place.run(args, { env: { ...place.env, HTTPS_PROXY: 'socks5://127.0.0.1:9' } });
  expect(wrong.code).toBe(2);
  expect(errorLine(wrong)).toContain('HTTPS_PROXY');
  const bare = await place.run(args, { env: { ...place.env, HTTPS_PROXY: '127.0.0.1:9' } });
  expect(bare).toMatchObject({ code: 0, stderr: '' });
});

test.each([
  ['', /--filename: "" names no file/],
  ['..', /--filename: "\.\." names no file/],
  ['.', /names no file/],
  ['folder/..', /names no file/],
  ['/', /names no file/],
  ['n'.repeat(300), /it is 300 bytes long, and a file name has at most 255/],
  ['图'.repeat(86), /it is 258 bytes long/],
])('--filename %j is a mistake, told before anything is read', async (name, sentence) => {
  const { place, sandbox } = await placeWithSandbox();
  const result = await place.read(['upload', '-', '--filename', name, '--to', 'demo']);
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(errorLine(result)).toMatch(sentence);
  expect(errorLine(result)).toMatch(/give a name such as notes\.md/);
  expect(sandbox.summary().count).toBe(0);
});

test('a long Retry-After is told with its time, and --give-up ends it with 5', async () => {
  const place = await newWorkplace();
  const api = await startHttpServer(async ({ response, body }) => {
    await body();
    response.writeHead(429, { 'retry-after': '3600', 'content-type': 'application/json' });
    response.end('{"error":{"message":"slow down"}}');
  });
  const answer = { id: '/id' };
  await place.config({ destinations: { demo: { url: `${api.origin}/up`, answer, ref: '{id}' } } });
  await place.file('a.txt', 'a');
  const result = await place.read(['upload', 'a.txt', '--give-up', '2s']);
  expect(result.code).toBe(5);
  expect(errorLine(result)).toMatch(/slow down.*the next try would be in 1h.*--give-up is 2s/);
  const none = await place.read(['upload', 'a.txt', '--give-up', 'soon']);
  expect(none.code).toBe(2);
});

test('run without the variable that its only token comes from ends with 7 and names it', async () => {
  const { place, sandbox } = await placeWithSandbox();
  await place.config({
    dataDir: './data',
    destinations: {
      qwen: { preset: 'dashscope', params: { base: sandbox.dashscopeBase }, token: { env: 'NOT_SET_HERE' } },
    },
    sources: { inbox: { path: './inbox', destination: 'qwen' } },
  });
  const result = await place.read(['run']);
  expect(result.code).toBe(7);
  expect(errorLine(result)).toMatch(/NOT_SET_HERE \(destination qwen\) is not set/);
  // Nothing was started for it.
  expect(await readdir(place.folder)).not.toContain('data');
});
