/** A batch outlives the process that works on it: SIGKILL at any instant, one receipt for each entry, one end. */
import { expect, test, vi } from 'vitest';
import { batchOf, ingestPlace, manifestOf, spooled } from '../support/ingest-place.ts';
import { zipBytes } from '../support/zip-bytes.ts';

test('killed at several moments, --resume goes on: one receipt for each entry and one end', async () => {
  const { place, sandbox } = await ingestPlace(
    { capacity: { serviceMs: 40 } },
    { worker: { concurrency: { initial: 4, max: 4, adaptive: false } }, spool: { maxBytes: '40KB' } },
  );
  const entries = Array.from({ length: 120 }, (_, index) => ({
    name: `d/${index}.txt`,
    content: `${index} `.repeat(500),
  }));
  await place.file('big.zip', zipBytes(entries));
  const journal = place.path('big.zip.manifest.jsonl');
  let id = '';
  let kills = 0;
  for (const recorded of [0, 20, 70]) {
    const cli = place.start(
      id === '' ? ['ingest', 'big.zip', '--to', 'demo', '--json'] : ['ingest', '--resume', id, '--json'],
    );
    await cli.said('batch b');
    id = /batch (b\S+)/.exec(cli.stderr())?.[1] ?? '';
    await vi.waitFor(
      async () => expect((await place.receipts(journal)).length).toBeGreaterThanOrEqual(recorded),
      { timeout: 90_000, interval: 10 },
    );
    cli.signal('SIGKILL');
    await cli.ended;
    kills += 1;
  }
  const last = await place.run(['ingest', '--resume', id, '--json']);
  expect(last.code).toBe(0);
  const batch = batchOf(last);
  expect(batch).toMatchObject({ batch: id, counts: { discovered: 120, uploaded: 120 } });
  const receipts = await place.receipts(journal);
  expect(receipts).toHaveLength(120);
  expect(new Set(receipts.map(({ path }) => path)).size).toBe(120);
  expect(await manifestOf(batch)).toHaveLength(120);
  expect(spooled(place)).toEqual([]);
  expect(sandbox.summary().count).toBeLessThanOrEqual(120 + kills * 4);
  // It has ended: there is nothing to go on with, and its end is told again.
  const ended = batchOf(await place.run(['ingest', '--resume', id, '--json']));
  expect(ended.parts).toEqual(batch.parts);
});
