import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Endpoint } from '../../../src/notify/endpoint/endpoint.ts';
import { commandSender } from '../../../src/notify/send/send-command.ts';
import { type NotifyRig, notifyRig, paths, QUICK, SENDERS, until } from '../../support/notify-rig.ts';
import { testFolder } from '../../support/record-rig.ts';

function sink(command: readonly string[], change: Partial<Endpoint> = {}): Endpoint {
  return {
    name: 'onSettled',
    target: { kind: 'command', command },
    events: ['file.uploaded'],
    ...{ batch: null, concurrency: 1, timeoutMs: 30_000 },
    ...change,
  };
}

/** A program in Node that appends what it is told to a file. */
function program(rig: Pick<NotifyRig, 'folder'>, body: string): string[] {
  const path = join(rig.folder, 'settled.mjs');
  writeFileSync(
    path,
    `import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
const text = readFileSync(0, 'utf8');
const log = (line) => appendFileSync(${JSON.stringify(join(rig.folder, 'told'))}, line + '\\n');
${body}`,
  );
  return [process.execPath, path];
}

function told(rig: NotifyRig): string[] {
  const path = join(rig.folder, 'told');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
}

test('a program gets each event on stdin and acknowledges with exit code 0; what fails is run again, as the same event', async () => {
  const rig = await notifyRig();
  const command = program(
    rig,
    `log(process.env.SLIPWAY_WEBHOOK_ID + ' ' + JSON.parse(text).data.path);
const flag = ${JSON.stringify(rig.folder)} + '/failed-once';
if (!existsSync(flag)) { writeFileSync(flag, ''); process.exit(3); }`,
  );
  const notifier = await rig.start([sink(command)]);
  await rig.record(paths(3));
  await notifier.caughtUp();
  const lines = told(rig);
  expect(lines).toHaveLength(4);
  expect(new Set(lines).size).toBe(3);
  expect(notifier.report()[0]).toMatchObject({ target: process.execPath, dead: 0, pending: 0 });
});

test('it may be told in windows', async () => {
  const rig = await notifyRig();
  const command = program(rig, 'log(JSON.parse(text).type + JSON.parse(text).data.receipts.length);');
  const notifier = await rig.start([sink(command, { batch: { maxItems: 4, maxWait: 50 } })]);
  await rig.record(paths(6));
  await notifier.caughtUp();
  expect(told(rig)).toEqual(['files.settled4', 'files.settled2']);
});

test('a program that takes too long is killed with what it started, and counts as failed', async () => {
  const folder = testFolder();
  const started = join(folder, 'started');
  const script = `sleep 60 & echo $! > '${started}'; wait`;
  const send = commandSender(
    { kind: 'command', command: ['sh', '-c', script] },
    { timeoutMs: 2_000, env: process.env },
  );
  const end = await send({ id: 'msg_1', body: '{}' }, new AbortController().signal);
  expect(end).toMatchObject({ kind: 'failed', status: null, reason: 'no end within 2s' });
  const pid = Number(readFileSync(started, 'utf8'));
  await until(() => expect(isRunning(pid)).toBe(false));
});

test('a program gets nothing of our environment that may be a secret', async () => {
  const folder = testFolder();
  const out = join(folder, 'env');
  const env = { ...SENDERS.env, DASHSCOPE_API_KEY: 'sk-1', HOOK_SECRET: 'whsec_x', NODE_OPTIONS: '' };
  const send = commandSender(
    { kind: 'command', command: ['sh', '-c', `env > '${out}'`] },
    { timeoutMs: 30_000, env },
  );
  expect(await send({ id: 'msg_1', body: '{}' }, new AbortController().signal)).toMatchObject({
    kind: 'acknowledged',
  });
  const names = readFileSync(out, 'utf8')
    .split('\n')
    .map((line) => line.split('=')[0]);
  expect(names).toContain('PATH');
  expect(names).toContain('SLIPWAY_WEBHOOK_ID');
  expect(names).not.toContain('DASHSCOPE_API_KEY');
  expect(names).not.toContain('HOOK_SECRET');
});

test.each([
  [['/nowhere/at-all'], 'cannot be run: ENOENT'],
  [['sh', '-c', 'exit 7'], 'exit code 7'],
])('%j: %s', async (command, reason) => {
  const send = commandSender({ kind: 'command', command }, { timeoutMs: 30_000, env: process.env });
  const end = await send({ id: 'msg_1', body: 'x'.repeat(1_000_000) }, new AbortController().signal);
  expect(end).toMatchObject({ kind: 'failed', reason });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie whose parent is not us still answers.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

test('a program that cannot even be started counts as failed, and ends as a dead delivery', async () => {
  const rig = await notifyRig();
  const file = join(rig.folder, 'file.sh');
  writeFileSync(file, '');
  const timing = { ...QUICK, scheduleMs: [0, 5, 5] };
  const notifier = await rig.start([sink([`${file}/x`])], { timing });
  await rig.record(paths(1));
  await until(() => expect(notifier.report()[0]).toMatchObject({ dead: 1, pending: 0 }));
  expect(notifier.report()[0]?.last?.summary).toMatch(/^cannot be run: .*ENOTDIR/);
});
