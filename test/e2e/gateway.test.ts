/** `slipway gateway`: the door as it is started, used and stopped. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { errorLine } from '../support/cli.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { newWorkplace, sandboxDestination } from '../support/workplace.ts';

test('says its address first, uploads without Redis, and ends cleanly', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config({ dataDir: './data', destinations: { demo: sandboxDestination(sandbox) } });
  const gateway = place.start(['gateway', '--port', '0']);
  await gateway.said('{"url":"http://127.0.0.1:');
  const { url } = JSON.parse(gateway.stdout().split('\n')[0] ?? '') as { url: string };
  const form = new FormData();
  form.append('file', new File(['hello'], 'a.txt'));
  const answer = await fetch(`${url}/v1/files`, { method: 'POST', body: form });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ filename: 'a.txt', bytes: 5, url: sandbox.received()[0]?.url });
  gateway.signal('SIGTERM');
  const { code, stdout } = await gateway.ended;
  expect({ code, stdout }).toEqual({ code: 0, stdout: `{"url":"${url}"}\n` });
  expect(place.redisServers()).toEqual([]);
  expect(await readdir(place.path('data', 'gateway')).catch(() => [])).not.toContain('incoming');
});

test('mistakes end it before it listens: open to everybody, nothing to send to, a port in use, a public destination', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config({ dataDir: './data', destinations: { demo: sandboxDestination(sandbox) } });
  const open = await place.run(['gateway', '--host', '0.0.0.0', '--port', '0']);
  expect([open.code, errorLine(open)]).toEqual([2, expect.stringContaining('gateway.keys')]);
  const taken = await place.run(['gateway', '--port', new URL(sandbox.origin).port]);
  expect([taken.code, errorLine(taken)]).toEqual([2, expect.stringContaining('cannot listen')]);
  const publicly = await place.run(['gateway', '--port', '0', '--to', 'autoglm']);
  expect([publicly.code, errorLine(publicly)]).toEqual([2, expect.stringContaining('readable by anyone')]);
  await place.config({
    dataDir: './data',
    destinations: { demo: sandboxDestination(sandbox) },
    gateway: {
      routes: { '/v1': { destination: 'demo' }, '/x/': {}, '/y': { destination: 'nobody' } },
      keys: [
        { name: 'a', env: 'A', file: 'b' },
        { name: 'c', env: 'C', routes: ['/z'] },
      ],
    },
  });
  const wrong = await place.run(['gateway', '--port', '0']);
  expect(wrong.code).toBe(2);
  for (const text of [
    'would hide a path',
    'without a slash at its end',
    'no destination `nobody`',
    'either env or file',
    'no route `/z`',
  ]) {
    expect(wrong.stderr).toContain(text);
  }
  await place.config({ dataDir: './data' });
  const nothing = await place.run(['gateway', '--port', '0']);
  expect([nothing.code, errorLine(nothing)]).toEqual([2, expect.stringContaining('which destination?')]);
});

test('the package is a library whose process ends by itself after close', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const config = { dataDir: place.path('data'), destinations: { demo: sandboxDestination(sandbox) } };
  const library = new URL('../../dist/index.js', import.meta.url);
  await place.file(
    'program.mjs',
    `import { createSlipway } from ${JSON.stringify(library.href)};
const slipway = createSlipway(${JSON.stringify(config)});
const told = await slipway.uploadFile({ file: 'hello', filename: 'a.txt' });
await slipway.close();
console.log(JSON.stringify(told));
`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [place.path('program.mjs')], {
    timeout: 60_000,
  });
  expect(JSON.parse(stdout)).toMatchObject({ code: 0, data: { filename: 'a.txt', bytes: 5 } });
  const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(manifest.exports['.'].default).toBe('./dist/index.js');
  const types = await readFile(new URL('../../dist/index.d.ts', import.meta.url), 'utf8');
  expect(types).not.toMatch(/from '(?!\.)/);
});
