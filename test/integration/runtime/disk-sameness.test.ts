/** Files replaced in their folder by others of the same size and time, as `cp -p`, rsync and restored backups do. */
import { createHash } from 'node:crypto';
import { chmodSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { definitionOf } from '../../support/destination-definitions.ts';
import { runRig } from '../../support/run-rig.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

const never = new AbortController().signal;
const TIME = new Date('2026-11-22T01:02:03.000Z');
const print = (text: string): string => createHash('sha256').update(text).digest('hex');

async function place() {
  const sandbox = await sandboxForTest();
  const { autoglmUrl, tokenUrl } = sandbox;
  const rig = await runRig({
    definition: definitionOf('autoglm', { url: autoglmUrl, token: { url: tokenUrl } }),
  });
  const { root } = rig.plan();
  /** Another file in its place, with the same size and time. */
  const put = (name: string, content: string): void => {
    writeFileSync(join(root, `.${name}.new`), content);
    utimesSync(join(root, `.${name}.new`), TIME, TIME);
    renameSync(join(root, `.${name}.new`), join(root, name));
  };
  /** Everything that lies there, once; how many were sent. */
  const once = async (): Promise<number> => {
    const before = sandbox.summary().count;
    const run = await rig.start();
    await run.once(60_000, never);
    await run.stop(2_000);
    return sandbox.summary().count - before;
  };
  const latest = () =>
    Object.fromEntries(rig.receipts().map(({ path, gen, sha256 }) => [path, `${gen} ${sha256}`]));
  return { root, put, once, latest };
}

test('other bytes of the same size and time are the next generation; equal ones are read and not sent', async () => {
  const { root, put, once, latest } = await place();
  for (const [name, content] of [
    ['a.txt', 'first!'],
    ['b.txt', 'stays!'],
  ] as const)
    put(name, content);
  expect(await once()).toBe(2);
  expect(await once()).toBe(0);

  put('a.txt', 'second');
  put('b.txt', 'stays!');
  expect(await once()).toBe(1);
  expect(latest()).toEqual({ 'a.txt': `1 ${print('second')}`, 'b.txt': `0 ${print('stays!')}` });

  // In place, the time put back: only the time of change tells.
  writeFileSync(join(root, 'b.txt'), 'other!');
  utimesSync(join(root, 'b.txt'), TIME, TIME);
  expect(await once()).toBe(1);
  expect(latest()['b.txt']).toBe(`1 ${print('other!')}`);

  for (const name of ['a.txt', 'b.txt']) chmodSync(join(root, name), 0o600);
  expect(await once()).toBe(0);
  expect(latest()).toEqual({ 'a.txt': `1 ${print('second')}`, 'b.txt': `1 ${print('other!')}` });
});
