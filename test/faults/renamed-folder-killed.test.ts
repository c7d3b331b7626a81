/** G1 for receipts without a job: SIGKILL while a renamed folder is recorded. */
import { renameSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

const FILES = 800;

test('kill -9 while a renamed folder of 800 files is recorded, twice: each new path once, and nothing is sent', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const concurrency = { initial: 16, max: 16, adaptive: false };
  await place.config(inboxConfig(sandboxDestination(sandbox, { concurrency })));
  for (let index = 0; index < FILES; index += 1) await place.file(`inbox/old/${index}`, `content ${index}`);
  expect((await place.run(['run', '--once', '--log-level', 'warn'])).code).toBe(0);
  const requests = sandbox.summary();
  renameSync(place.path('inbox/old'), place.path('inbox/new'));

  let recorded = FILES;
  for (const more of [1, 200]) {
    const cli = place.start(['run', '--log-level', 'warn']);
    await place.recorded(recorded + more);
    cli.signal('SIGKILL');
    await cli.ended;
    recorded = (await place.receipts()).length;
    if (recorded === 2 * FILES) break;
  }
  expect((await place.run(['run', '--once', '--log-level', 'warn'])).code).toBe(0);

  expect(sandbox.summary()).toEqual(requests);
  const receipts = await place.receipts();
  expect(new Set(receipts.map(({ path }) => path)).size).toBe(2 * FILES);
  expect(receipts).toHaveLength(2 * FILES);
  const uploads = new Map(
    receipts.filter(({ attempts }) => attempts > 0).map((receipt) => [receipt.id, receipt]),
  );
  for (const { path, reusedFrom, sha256, status } of receipts.slice(FILES)) {
    const upload = uploads.get(reusedFrom ?? '');
    expect([status, path, sha256]).toEqual(['uploaded', path.replace('old/', 'new/'), upload?.sha256]);
    expect(upload?.path).toBe(path.replace('new/', 'old/'));
  }
});
