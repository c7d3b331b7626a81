/** SIGKILL in the middle of dropped folders: one end each, every receipt with its metadata, and beside its file. */
import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Receipt } from '../../src/domain/receipt.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

const FOLDERS = ['order-1', 'order-2', 'order-3'];
const FILES = 90;

test('kill -9 twice: each folder ends once, no receipt lacks its metadata or its sidecar', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest({ capacity: { serviceMs: 120 } });
  const concurrency = { initial: 4, max: 4, adaptive: false };
  const source = { batch: { by: 'topFolder', quiet: '1s' }, sidecar: true, meta: { sidecar: true } };
  await place.config(inboxConfig(sandboxDestination(sandbox, { concurrency }), { source }));
  for (let index = 0; index < FILES; index += 1) {
    const path = `inbox/${FOLDERS[index % 3]}/${index}.txt`;
    await place.file(path, `content ${index}`);
    await place.file(`${path}.meta.json`, JSON.stringify({ number: index }));
  }
  let recordedThen = 0;
  for (const recordedBefore of [1, 45]) {
    const cli = place.start(['run', '--meta', 'run=killed']);
    await place.recorded(recordedBefore);
    cli.signal('SIGKILL');
    expect((await cli.ended).signal).toBe('SIGKILL');
    recordedThen = (await place.receipts()).length;
  }
  // Without the flag: what is queued by now has it, what is not has only what lies beside it.
  const last = await place.run(['run', '--once', '--log-level', 'warn']);
  expect(last.code).toBe(0);

  const receipts = await place.receipts();
  expect(receipts).toHaveLength(FILES);
  for (const receipt of receipts) {
    expect(receipt.meta).toMatchObject({ number: /(\d+)\.txt$/.exec(receipt.path)?.[1] });
    const beside = await readFile(place.path('inbox', `${receipt.path}.receipt.json`), 'utf8');
    expect(JSON.parse(beside)).toEqual(receipt);
  }
  // Queued before the last kill and recorded after it: what was attached to them has outlived it.
  expect(receipts.filter(({ meta }) => meta?.run === 'killed').length).toBeGreaterThan(recordedThen);

  const names = (await readdir(place.path('data/batches'))).filter((name) => name.endsWith('.json'));
  const manifests = await Promise.all(
    names.map(async (name) => {
      const text = await readFile(place.path('data/batches', name), 'utf8');
      return JSON.parse(text) as { folder: string; batch: string; files: Receipt[] };
    }),
  );
  expect(manifests.map(({ folder }) => folder).sort()).toEqual(FOLDERS);
  for (const { folder, batch, files } of manifests) {
    const theirs = receipts.filter(({ path }) => path.startsWith(`${folder}/`));
    expect(files.map(({ path }) => path).sort()).toEqual(theirs.map(({ path }) => path).sort());
    expect(new Set(theirs.map((receipt) => receipt.batch))).toEqual(new Set([batch]));
  }
});
