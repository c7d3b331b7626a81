/** G1: SIGKILL of the whole process at any instant; each file version gets one receipt, and only what was open is sent again. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

const FILES = 300;
const CONCURRENCY = 8;

test('kill -9 in the middle of 300 files, three times: each is recorded once, and all are uploaded', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 100 } });
  const concurrency = { initial: CONCURRENCY, max: CONCURRENCY, adaptive: false };
  await place.config(inboxConfig(sandboxDestination(sandbox, { concurrency })));
  for (let index = 0; index < FILES; index += 1) await place.file(`inbox/${index}.txt`, `content ${index}`);

  let kills = 0;
  for (const recordedBefore of [1, 60, 140]) {
    const cli = place.start(['run']);
    await place.recorded(recordedBefore);
    cli.signal('SIGKILL');
    expect((await cli.ended).signal).toBe('SIGKILL');
    kills += 1;
    expect((await place.receipts()).length).toBeLessThan(FILES);
  }
  const last = await place.run(['run', '--once', '--log-level', 'warn']);

  expect(last.code).toBe(0);
  const receipts = await place.receipts();
  expect(receipts.every(({ status, gen }) => status === 'uploaded' && gen === 0)).toBe(true);
  expect(receipts.map(({ path }) => path).sort()).toEqual(
    Array.from({ length: FILES }, (_, index) => `${index}.txt`).sort(),
  );
  // What is under way: what was answered has been written to the journal a few milliseconds later.
  expect(sandbox.summary().count).toBeLessThanOrEqual(FILES + kills * CONCURRENCY);
  const snapshot = JSON.parse(await readFile(place.path('inbox.manifest.json'), 'utf8'));
  expect(snapshot.counts).toMatchObject({ uploaded: FILES });
});
