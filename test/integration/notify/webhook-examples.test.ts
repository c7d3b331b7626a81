import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { webhookSchema } from '../../../src/notify/options.ts';
import { createSigner } from '../../../src/notify/send/signature.ts';
import { tryWebhook } from '../../../src/operations/webhooks/webhook-test.ts';
import { endpointTo, notifyRig, paths, SENDERS } from '../../support/notify-rig.ts';
import { testFolder } from '../../support/record-rig.ts';
import { SECRET } from '../../support/webhook-receiver.ts';

const EXAMPLES = fileURLToPath(new URL('../../../docs/examples/', import.meta.url));
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

/** The receiver of the documentation, as a process of its own. */
async function startExample(out: string): Promise<{ url: string; kill(): Promise<void> }> {
  const child = spawn(process.execPath, [join(EXAMPLES, 'receiver.mjs')], {
    env: { PATH: process.env.PATH, HOOK_SECRET: SECRET, PORT: '0', OUT: out },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  onTestFinished(kill);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { url: `http://127.0.0.1:${/\d+/.exec(line.toString())?.[0]}/`, kill };
}

function requests(out: string): { key: string; path: string; request: unknown }[] {
  const lines = readFileSync(out, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as { key: string; path: string; request: unknown });
}

test('the documented receiver makes one request per file, however often it is told and although it is killed', async () => {
  const rig = await notifyRig();
  const out = join(rig.folder, 'requests.jsonl');
  const first = await startExample(out);
  const notifier = await rig.start([endpointTo(first.url)]);
  await rig.record(['scan.png'], {
    url: 'https://files.example/scan.png',
    ref: 'https://files.example/scan.png',
  });
  await rig.record(['report.pdf'], { url: null, ref: 'fileid://file-fe-1' });
  await notifier.caughtUp();
  expect(requests(out).map(({ request }) => request)).toEqual(
    expect.arrayContaining([
      { tool: 'image-recognition', image_url: 'https://files.example/scan.png' },
      expect.objectContaining({
        model: 'qwen-doc-turbo',
        messages: expect.arrayContaining([{ role: 'system', content: 'fileid://file-fe-1' }]),
      }),
    ]),
  );
  await first.kill();
  // Told again in another form by another endpoint, to a receiver that has just been started.
  const second = await startExample(out);
  await rig.start([endpointTo(second.url, { batch: { maxItems: 3, maxWait: 20 } })]);
  await rig.record(paths(7));
  notifier.wake();
  await rig.notifier().caughtUp();
  const { replayDeliveries } = await import('../../../src/notify/outbox/webhook-replay.ts');
  await replayDeliveries(rig.store, rig.notifier(), { kind: 'since', atMs: 0 }, null);
  await rig.notifier().caughtUp();
  const made = requests(out);
  expect(made).toHaveLength(9);
  expect(new Set(made.map(({ key }) => key)).size).toBe(9);
  const webhooks = [webhookSchema.parse({ name: 'trial', url: second.url, secret: SECRET })];
  expect(await tryWebhook('trial', { webhooks, sources: {} }, SENDERS)).toMatchObject({ acknowledged: true });
  expect(requests(out)).toHaveLength(9);
});

const body = '{"type":"file.uploaded","timestamp":"2026-11-22T01:02:05.000Z","data":{"path":"报告.pdf"}}';

function verifyWith(program: string, args: string[], change: Record<string, string> = {}) {
  const headers = createSigner([SECRET]).headers('msg_1', Date.now(), body);
  const env = {
    PATH: process.env.PATH,
    HOOK_SECRET: SECRET,
    WEBHOOK_ID: headers['webhook-id'],
    WEBHOOK_TIMESTAMP: headers['webhook-timestamp'],
    WEBHOOK_SIGNATURE: `v1,bm90aGluZw== ${headers['webhook-signature']}`,
    ...change,
  };
  return spawnSync(program, args, { input: body, env, encoding: 'utf8' });
}

const other = 'whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=';

test('the documented Python takes what is signed, and nothing else', () => {
  const args = [join(EXAMPLES, 'verify.py')];
  expect(verifyWith('python3', args).stdout).toBe('file.uploaded\n');
  expect(verifyWith('python3', args, { HOOK_SECRET: other }).stderr).toContain('no signature fits');
  expect(verifyWith('python3', args, { WEBHOOK_TIMESTAMP: '1' }).stderr).toContain('too old');
});

test.skipIf(!hasOpenssl)('the documented shell script takes what is signed, and nothing else', () => {
  const args = [join(EXAMPLES, 'verify.sh')];
  expect(verifyWith('sh', args)).toMatchObject({ status: 0, stderr: '' });
  expect(verifyWith('sh', args, { HOOK_SECRET: other })).toMatchObject({ status: 1 });
  expect(verifyWith('sh', args, { WEBHOOK_ID: 'msg_2' })).toMatchObject({ status: 1 });
  expect(verifyWith('sh', args, { WEBHOOK_TIMESTAMP: '1' })).toMatchObject({ status: 1 });
});

test('nobody who forges a delivery is believed', async () => {
  const out = join(testFolder(), 'requests.jsonl');
  const { url } = await startExample(out);
  const headers = createSigner([other]).headers('msg_1', Date.now(), body);
  const answer = await fetch(url, { method: 'POST', headers, body });
  expect(answer.status).toBe(401);
});
