import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { gatewayForTest, sandboxDestinations } from '../support/gateway.ts';
import { startTestRedis } from '../support/redis-server.ts';
import { sandboxForTest } from '../support/sandbox.ts';

const PAGE = new URL('../../docs/gateway.md', import.meta.url);
const KEY = 'sk-of-the-far-side-4711';

function curlLines(): string[] {
  const blocks = [...readFileSync(PAGE, 'utf8').matchAll(/```sh\n(.*?)```/gs)].map(([, text]) => text ?? '');
  return blocks.flatMap((text) => text.split('\n')).filter((line) => line.startsWith('curl '));
}

test('every curl line of the page about the gateway does what it says', async () => {
  const sandbox = await sandboxForTest();
  const redis = await startTestRedis();
  const folder = mkdtempSync(join(tmpdir(), 'slipway-gateway-docs-'));
  onTestFinished(async () => {
    await redis.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const door = await gatewayForTest({
    redis: { url: redis.socketPath },
    destinations: { autoglm: sandboxDestinations(sandbox).autoglm },
  });
  writeFileSync(join(folder, 'report.pdf'), '%PDF-1.7 hello');
  writeFileSync(
    join(folder, 'picture.png'),
    Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
      'base64',
    ),
  );
  const lines = curlLines();
  expect(lines.length).toBeGreaterThanOrEqual(5);
  for (const line of lines) {
    const command = line
      .replace('http://127.0.0.1:8787', door.url)
      .replace(/^curl /, "curl -sS -o answer.txt -w '%{http_code}' ");
    const { stdout } = await promisify(execFile)('sh', ['-c', command], { cwd: folder });
    expect([line, stdout, readFileSync(join(folder, 'answer.txt'), 'utf8')]).toEqual([
      line,
      expect.stringMatching(
        line.includes('/tus') ? /^201$/ : line.includes('mode=queue') ? /^202$/ : /^200$/,
      ),
      expect.any(String),
    ]);
  }
  await vi.waitFor(() => expect(door.accepted()).toEqual([]));
  await door.stop();
});

test('no key of a caller, no credential and no content of a file is on disk, in the log or in the metrics', async () => {
  const sandbox = await sandboxForTest({ apiKey: KEY });
  const redis = await startTestRedis();
  onTestFinished(() => redis.close());
  const door = await gatewayForTest(
    {
      redis: { url: redis.socketPath },
      destinations: { openai: sandboxDestinations(sandbox).openai },
      gateway: { keys: [{ name: 'team', env: 'TEAM' }] },
    },
    { API_KEY: KEY, TEAM: 'key-of-the-team-4711' },
  );
  const headers = { authorization: 'Bearer key-of-the-team-4711' };
  const content = 'the-content-of-a-file-4711';
  for (const mode of ['direct', 'queue']) {
    const form = new FormData();
    form.append('file', new File([content], 'a.jsonl'));
    const answer = await fetch(`${door.url}/v1/files?mode=${mode}`, { method: 'POST', body: form, headers });
    expect([200, 202]).toContain(answer.status);
  }
  await vi.waitFor(() => expect(door.receipts()).toHaveLength(2));
  await vi.waitFor(() => expect(door.accepted()).toEqual([]));
  expect(door.receipts().every(({ status }) => status === 'uploaded')).toBe(true);
  const told = [
    JSON.stringify(door.log),
    await (await fetch(`${door.url}/metrics`, { headers })).text(),
    await (await fetch(`${door.url}/openapi.json`, { headers })).text(),
  ];
  const connection = redis.connect();
  for (const key of await connection.keys('*')) {
    const type = await connection.type(key);
    if (type === 'hash') told.push(JSON.stringify(await connection.hgetall(key)));
    if (type === 'string') told.push((await connection.get(key)) ?? '');
  }
  await door.stop();
  for (const secret of [KEY, 'key-of-the-team-4711', content]) {
    for (const text of told) expect(text).not.toContain(secret);
    const { stdout } = await promisify(execFile)('sh', [
      '-c',
      'grep -rl --binary-files=text -- "$1" "$2" || true',
      'sh',
      secret,
      door.dataDir,
    ]);
    expect(stdout).toBe('');
  }
});
