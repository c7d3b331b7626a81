/** The first minutes: a config file without an editor, a destination without an account, presets from the command line. */
import { readFile, stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { errorLine } from '../support/cli.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { newWorkplace } from '../support/workplace.ts';

test('a person with a folder and a key gets fileid://… for each file in three commands', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const env = { ...place.env, DASHSCOPE_API_KEY: 'sk-anything' };
  await place.file('papers/a.txt', 'one');
  await place.file('papers/b.md', 'two');
  const base = `base=${sandbox.dashscopeBase}`;
  const init = await place.read(['init', '--folder', 'papers', '--to', 'dashscope', '--param', base], {
    env,
  });
  expect(init).toMatchObject({ code: 0, stderr: '' });
  expect(init.stdout).toContain('export DASHSCOPE_API_KEY=');
  const trial = await place.read(['destinations', 'test', 'dashscope'], { env });
  expect(trial.code).toBe(0);
  for (const line of ['token', 'upload', 'readiness', 'delete'])
    expect(trial.stdout).toMatch(new RegExp(`^${line} +ok +\\d+(\\.\\d)? ms`, 'm'));
  const run = await place.run(['run', '--once', '--json'], { env });
  expect(run.code).toBe(0);
  const refs = run.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { ref: string }).ref);
  expect(refs).toHaveLength(2);
  for (const ref of refs) expect(ref).toMatch(/^fileid:\/\/file-fe-/);
});

test('init --sandbox writes a config that passes config check and runs as it stands', async () => {
  const place = await newWorkplace();
  const made = await place.read([
    'init',
    '--sandbox',
    '--folder',
    'drop ${x}',
    '--webhook',
    'http://127.0.0.1:9/hook',
  ]);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  const secret = await readFile(place.path('.env'), 'utf8');
  expect(secret).toMatch(/^SLIPWAY_WEBHOOK_SECRET=whsec_/);
  expect((await stat(place.path('.env'))).mode & 0o777).toBe(0o600);
  expect(await place.read(['config', 'check'])).toMatchObject({ code: 0, stderr: '' });
  const text = await readFile(place.path('slipway.yaml'), 'utf8');
  expect(text).not.toContain(secret.split('=')[1]);
  const again = await place.read(['init', '--sandbox']);
  expect(again.code).toBe(2);
  expect(errorLine(again)).toContain('--force');
  expect(await place.read(['init', '--sandbox', '--force'])).toMatchObject({ code: 0 });

  await place.file('inbox/a.txt', 'one');
  const run = await place.run(['run', '--once', '--json']);
  expect(run.code).toBe(0);
  expect(JSON.parse(run.stdout)).toMatchObject({ status: 'uploaded', destination: 'sandbox' });
});

test('init says which flag is missing, and takes neither a key for a variable nor silence for a yes', async () => {
  const place = await newWorkplace();
  const said = async (...args: string[]): Promise<string> => {
    const result = await place.read(['init', ...args]);
    expect(result.code).toBe(2);
    await expect(stat(place.path('slipway.yaml'))).rejects.toThrow('ENOENT');
    return errorLine(result);
  };
  expect(await said()).toMatch(/--to .*--sandbox/);
  expect(await said('--to', 'dashscop')).toContain('did you mean dashscope?');
  expect(await said('--to', 'bigmodel')).toMatch(/--field purpose=VALUE.*code-interpreter/);
  expect(await said('--to', 'siliconflow')).toContain('--param base=VALUE');
  expect(await said('--to', 'autoglm')).toMatch(/readable by anyone.*--yes/);
  const key = await said('--to', 'openai', '--key', 'sk-very-secret');
  expect(key).toContain('OPENAI_API_KEY');
  expect(key).not.toContain('very-secret');
  const made = await place.read(['init', '--to', 'autoglm', '--yes']);
  expect(made.code).toBe(0);
  expect(await readFile(place.path('slipway.yaml'), 'utf8')).toContain('acknowledgePublic: true');
});

test('--to sandbox needs no account and ends with the command; a configured one of that name wins', async () => {
  const place = await newWorkplace();
  await place.file('a.txt', 'one');
  const upload = await place.run(['upload', 'a.txt', '--to', 'sandbox', '--print', 'ref']);
  expect(upload).toMatchObject({ code: 0, stderr: '' });
  expect(upload.stdout).toMatch(/^file-\S+\n$/);

  await place.file('inbox/a.txt', 'one');
  const ingest = await place.run(['ingest', 'inbox', '--to', 'sandbox', '--json']);
  expect(ingest.code).toBe(0);
  expect(ingest.stdout.trim().split('\n').at(-1)).toContain('"uploaded":1');

  const sandbox = await sandboxForTest();
  const mine = { preset: 'openai', params: { base: sandbox.openaiBase }, token: { env: 'MY_KEY' } };
  await place.config({ destinations: { sandbox: mine } });
  await place.run(['upload', 'a.txt', '--to', 'sandbox'], { env: { ...place.env, MY_KEY: 'x' } });
  expect(sandbox.received()).toHaveLength(1);
});

test('a preset that needs more says which flag, and --to what was probably meant', async () => {
  const place = await newWorkplace();
  await place.file('a.txt', 'one');
  await place.file('inbox/a.txt', 'one');
  const commands = [
    ['upload', 'a.txt'],
    ['run', 'inbox', '--once'],
    ['ingest', 'inbox'],
  ];
  for (const command of commands) {
    const refused = await place.read([...command, '--to', 'bigmodel']);
    expect(refused.code).toBe(2);
    expect(errorLine(refused)).toContain('--field purpose=VALUE');
    const slip = await place.read([...command, '--to', 'dashscpe']);
    expect(errorLine(slip)).toContain('did you mean dashscope?');
  }
  const noName = await place.read(['run', 'inbox', '--field', 'purpose=batch']);
  expect(errorLine(noName)).toContain('--to');
  expect(errorLine(await place.read(['upload', 'a.txt', '--to', 'openai', '--field', 'x']))).toContain(
    'KEY=VALUE',
  );
  expect(errorLine(await place.read(['upload', 'a.txt', '--to', 'openai', '--url', 'ftp://x']))).toContain(
    '--url',
  );
  const wrong = await place.read(['upload', 'a.txt', '--to', 'dashscope', '--field', 'user=me']);
  expect(errorLine(wrong)).toMatch(/--field user=VALUE: this API takes no other text field than purpose/);
});

test('what was said of a destination goes with the batch: --resume needs none of it', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const env = { ...place.env, SILICONFLOW_API_KEY: 'k' };
  await place.file('inbox/a.txt', 'one');
  const words = [
    '--to',
    'siliconflow',
    '--param',
    `base=${sandbox.openaiBase}`,
    '--field',
    'purpose=user_data',
  ];
  const sent = await place.run(['ingest', 'inbox', '--json', ...words], { env });
  expect(sent.code).toBe(0);
  const { batch } = JSON.parse(sent.stdout.trim().split('\n').at(-1) ?? '') as { batch: string };
  expect((await place.run(['ingest', '--resume', batch], { env })).code).toBe(0);
  expect(sandbox.received()).toMatchObject([{ fields: { purpose: 'user_data' } }]);
});
