import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { paths, receiptFor, recordReceipts } from '../../support/notify-rig.ts';
import { storeIn, testFolder } from '../../support/record-rig.ts';
import { receiptsIn, startReceiver, type WebhookReceiver } from '../../support/webhook-receiver.ts';

const PROCESS = join(import.meta.dirname, '../../support/notifier-process.ts');
const EVENTS = 200;

interface Scene {
  readonly folder: string;
  readonly receiver: WebhookReceiver;
  /** @returns how the process ended */
  tell(step?: string, passes?: number): Promise<string>;
}

async function scene(form: 'one' | 'windows'): Promise<Scene> {
  const folder = testFolder();
  let seed = 3;
  const receiver = await startReceiver(() => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647 < 0.3 ? 503 : null;
  });
  return {
    folder,
    receiver,
    async tell(step = 'none', passes = 0) {
      const args = [PROCESS, folder, receiver.origin, form, step, String(passes)];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
      let problem = '';
      child.stderr.on('data', (chunk) => (problem += String(chunk)));
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
      return signal ?? `${code}${problem}`;
    },
  };
}

async function record(folder: string, prefix: string): Promise<string[]> {
  const store = await storeIn(folder);
  const receipts = paths(EVENTS, prefix).map((path) => receiptFor(path));
  await recordReceipts(store, receipts);
  await store.close();
  return receipts.map(({ id, gen }) => `${id}-${gen}`);
}

/** Each event under one id, each id with one content. */
function expectOneIdPerEvent({ arrived }: WebhookReceiver): void {
  const bodyOf = new Map<string, string>();
  const idOf = new Map<string, string>();
  for (const { id, text, body } of arrived) {
    expect(bodyOf.get(id) ?? text).toBe(text);
    bodyOf.set(id, text);
    for (const { id: version, gen } of receiptsIn(body)) {
      const key = `${version}-${gen}`;
      expect(idOf.get(key) ?? id).toBe(id);
      idOf.set(key, id);
    }
  }
}

test.each([
  ['one', 'made-out'],
  ['one', 'answered'],
  ['windows', 'made-out'],
  ['windows', 'answered'],
] as const)(
  'told %s by one and killed again and again once it is %s, nobody misses an event',
  async (form, step) => {
    const { folder, receiver, tell } = await scene(form);
    expect(await tell()).toBe('0');
    const first = await record(folder, 'first');
    expect(await tell(step)).toBe('SIGKILL');
    // One that shares all its work among few transactions may be through before it is to die.
    for (const passes of [2, 1]) expect(['SIGKILL', '0']).toContain(await tell(step, passes));
    const second = await record(folder, 'second');
    expect(await tell(step)).toBe('SIGKILL');
    expect(await tell()).toBe('0');
    expect([...receiver.told().keys()].sort()).toEqual([...first, ...second].sort());
    expect(receiver.refusals).toEqual([]);
    expectOneIdPerEvent(receiver);
  },
);
