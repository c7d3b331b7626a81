/** What stands in the way before anything is sent: one line with the fix, the documented exit code, no stack trace. */
import { mkdir, symlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { errorLine, STACK_TRACE } from '../support/cli.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

test('every mistake of a config is told at once, each with its line and the fix', async () => {
  const place = await newWorkplace();
  await place.file(
    'slipway.yaml',
    [
      'dataDir: ./data',
      'destinations:',
      `  demo: { preset: autoglmm, token: { url: "$\{NOT_SET_ANYWHERE}" } }`,
      'sources:',
      '  inbox:',
      '    path: ./inbox',
      '    destination: nowhere',
      '    setle: 2s',
      '    rescan: often',
      'queue: { maxPending: many }',
      '',
    ].join('\n'),
  );

  const result = await place.run(['run']);

  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).not.toMatch(STACK_TRACE);
  const [headline = '', ...mistakes] = result.stderr.trimEnd().split('\n');
  expect(headline).toMatch(/^slipway: \d+ mistakes in the config$/);
  expect(mistakes.every((line) => /^ {2}slipway\.yaml:\d+: \S+: /.test(line))).toBe(true);
  for (const told of [
    /:3: destinations\.demo\.preset: .*did you mean `autoglm`/,
    /:3: destinations\.demo\.token\.url: .*NOT_SET_ANYWHERE/,
    /:7: sources\.inbox\.destination: /,
    /:8: sources\.inbox\.setle: .*settle/,
    /:9: sources\.inbox\.rescan: /,
    /:10: queue\.maxPending: /,
  ]) {
    expect(mistakes.filter((line) => told.test(line))).toHaveLength(1);
  }
  const check = await place.read(['config', 'check']);
  expect(check).toMatchObject({ code: 2, stdout: '' });
  expect(check.stderr.trimEnd().split('\n')).toEqual(mistakes.map((line) => line.trimStart()));
});

test('a config that is no YAML is told with the line, not as a crash', async () => {
  const place = await newWorkplace();
  await place.file('slipway.yaml', 'sources:\n  inbox: { path: ./inbox\n');
  const result = await place.read(['run']);
  expect(result.code).toBe(2);
  expect(errorLine(result)).toContain('slipway.yaml:');
});

test('without a config file and without a PATH it says how to get going', async () => {
  const place = await newWorkplace();
  const result = await place.read(['run']);
  expect(result.code).toBe(2);
  expect(errorLine(result)).toMatch(/create it .*config\/example\.yaml.*--config.*PATH/);
  const named = await place.read(['run', '--config', 'missing.yaml']);
  expect(named.code).toBe(2);
  expect(errorLine(named)).toContain('missing.yaml');
});

test.for([
  { wrong: 'a missing folder', path: 'nowhere', says: 'does not exist: create it or correct the path' },
  { wrong: 'a file in place of a folder', path: 'note.txt', says: 'is not a folder: name the folder' },
])('$wrong ends with 2 and leaves nothing running', async ({ path, says }) => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.file('note.txt', 'a file');
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  const named = await place.run(['run', path, '--once']);
  expect(named.code).toBe(2);
  expect(errorLine(named)).toContain(says);

  await place.config(inboxConfig(sandboxDestination(sandbox), { source: { path } }));
  const configured = await place.run(['run', '--once']);
  expect(configured.code).toBe(2);
  expect(errorLine(configured)).toContain(says);
  expect(place.redisServers()).toEqual([]);
});

test('without a destination it names the ways to choose one', async () => {
  const place = await newWorkplace();
  const none = await place.read(['run', 'inbox']);
  expect(none.code).toBe(2);
  expect(errorLine(none)).toContain('--to');
  const unknown = await place.read(['run', 'inbox', '--to', 'autoglmm']);
  expect(unknown.code).toBe(2);
  expect(errorLine(unknown)).toContain('autoglm');
});

test('without a Redis binary it names the install command, and upload works all the same', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  await place.file('inbox/a.txt', 'a');
  await mkdir(place.path('bin'));
  await symlink('/bin/sh', place.path('bin/sh'));
  const env = { ...place.env, PATH: place.path('bin') };

  const run = await place.run(['run', '--once'], { env });
  expect(run.code).toBe(2);
  expect(errorLine(run)).toMatch(/no redis-server or valkey-server found: .*install.*redis\.url/);

  const upload = await place.run(['upload', 'inbox/a.txt', '--print', 'url'], { env });
  expect(upload).toMatchObject({ code: 0, stderr: '' });
});

test('a Redis that does not answer at redis.url ends with 5 and names the address without its password', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const url = 'redis://user:hush-hush@127.0.0.1:1/0';
  await place.config(inboxConfig(sandboxDestination(sandbox), { redis: { url } }));
  const result = await place.run(['run', '--once']);
  expect(result.code).toBe(5);
  expect(errorLine(result)).toMatch(/127\.0\.0\.1:1 .*redis\.url/);
  expect(result.stderr).not.toContain('hush-hush');
});

test('a data folder below a file says so', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.file('data', 'a file where the data folder should be');
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  const result = await place.run(['run', '--once']);
  expect(result.code).toBe(2);
  expect(errorLine(result)).toContain(`cannot use the data folder ${place.path('data')}`);
});

test('a second data folder on the same manifest is refused while the first one runs, and told whose it is', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  await place.file('inbox/a.txt', 'a');
  const running = place.start(['run']);
  await place.recorded(1);
  const twin = { ...inboxConfig(sandboxDestination(sandbox)), dataDir: './other-data' };
  await place.file('twin.yaml', JSON.stringify(twin));
  const refused = await place.run(['run', '--once', '--config', 'twin.yaml']);
  expect(refused.code).toBe(2);
  expect(errorLine(refused)).toContain(
    `is being written by process ${running.pid} on ${hostname()} for source inbox of the data folder ${place.path('data')}`,
  );
  running.signal('SIGTERM');
  expect((await running.ended).code).toBe(0);
  // Its turn: it learns from the journal what has been sent.
  expect((await place.run(['run', '--once', '--config', 'twin.yaml'])).code).toBe(0);
  expect(await place.receipts()).toHaveLength(1);
});
