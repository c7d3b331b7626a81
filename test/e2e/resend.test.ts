/** Sending again to another destination: a source of its own, with a manifest of its own. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

test('a file goes to another destination when asked, as often as asked, and its source knows nothing of it', async () => {
  const place = await newWorkplace();
  const [sandbox, other] = [await sandboxForTest(), await sandboxForTest()];
  const destinations = { demo: sandboxDestination(sandbox), second: sandboxDestination(other) };
  await place.config(inboxConfig(destinations.demo, { destinations }));
  for (const name of ['a[1].txt', 'a1.txt', 'b.txt']) await place.file(`inbox/${name}`, `content of ${name}`);
  expect((await place.run(['run', '--once'])).code).toBe(0);
  const before = readFileSync(place.path('inbox.manifest.jsonl'), 'utf8');
  const there = place.path('inbox.inbox-2.manifest.jsonl');
  const sent = async (): Promise<string[]> =>
    (await place.receipts(there)).map(({ path, gen, destination }) => `${path} ${gen} ${destination}`);

  for (const gen of [0, 1]) {
    const result = await place.run(['resend', 'inbox/a[1].txt', '--to', 'second']);
    expect(result.code).toBe(0);
    expect((await sent()).at(-1)).toBe(`a[1].txt ${gen} second`);
  }
  expect((await place.run(['resend', '--source', 'inbox', '--to', 'second'])).code).toBe(0);
  expect((await sent()).sort()).toEqual([
    ...['a1.txt 0 second', 'a[1].txt 0 second', 'a[1].txt 1 second', 'a[1].txt 2 second', 'b.txt 0 second'],
  ]);
  expect(other.received()).toHaveLength(5);
  expect(sandbox.received()).toHaveLength(3);
  expect(readFileSync(place.path('inbox.manifest.jsonl'), 'utf8')).toBe(before);
  // The second manifest is found again by everything that looks things up.
  const looked = await place.read(['lookup', 'inbox/b.txt', '--json']);
  expect(
    looked.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).destination),
  ).toEqual(['demo', 'second']);
  const nowhere = await place.read(['resend', 'inbox/a1.txt', '--to', 'nowhere']);
  expect(nowhere.code).toBe(2);
  const unknown = await place.read(['resend', 'inbox/never.txt', '--to', 'second']);
  expect([unknown.code, unknown.stderr]).toEqual([
    2,
    expect.stringContaining('slipway upload FILE --to second'),
  ]);
});
