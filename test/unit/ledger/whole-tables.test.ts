/** What is read from the ledger in pages is read whole: three times the largest page, 2,000 entries. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pathNameOf } from '../../../src/domain/path-bytes.ts';
import { replayJournal } from '../../../src/ledger/journal/journal-replay.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { openRecordReader } from '../../../src/ledger/store/record-reader.ts';
import { openMetaList } from '../../../src/ledger/tables/meta-list.ts';
import { rebuildSource } from '../../../src/ledger/upkeep/rebuild-ledger.ts';
import { createSnapshot } from '../../../src/record/manifest/manifest-snapshot.ts';
import { lineOf, NOW_MS, rememberingLog, storeIn, testFolder } from '../../support/record-rig.ts';

const MANY = 6_003;

const failure = {
  status: 'failed',
  error: {
    code: 'rejected',
    kind: 'rejected',
    message: 'no',
    httpStatus: 400,
    at: '2026-11-22T01:02:06.000Z',
  },
} as const;

function markedAgain(ledger: Ledger): number {
  let count = 0;
  let after: Buffer | null = null;
  do {
    const page: ReturnType<Ledger['notes']> = ledger.notes(after, 1_000);
    count += page.again.length;
    after = page.next;
  } while (after !== null);
  return count;
}

test('manifest, dead letters, wishes and attached data are whole, also in a ledger that is built again', async () => {
  const folder = testFolder();
  const log = rememberingLog();
  const place = {
    dataDir: join(folder, 'data'),
    source: 'inbox',
    manifest: join(folder, 'inbox.manifest.json'),
    log,
  };
  const store = await storeIn(folder, log);
  const names = Array.from({ length: MANY }, (_, index) => `${index}.txt`);
  await store.journal.append(names.map((name) => lineOf(name, failure)));
  await replayJournal({ journal: store.journal, ledger: store.ledger, log });
  const list = join(folder, 'meta.jsonl');
  writeFileSync(list, names.map((path) => `${JSON.stringify({ path, meta: { name: path } })}\n`).join(''));
  const metaOf = (ledger: Ledger) => {
    const attached = openMetaList(ledger, '');
    return names.filter((path) => attached.find(pathNameOf(Buffer.from(path)))?.name === path).length;
  };
  await openMetaList(store.ledger, '').load(list, folder);
  expect(metaOf(store.ledger)).toBe(MANY);
  await openMetaList(store.ledger, '').load(null, folder);
  expect(metaOf(store.ledger)).toBe(0);
  const wished = [];
  for (let after: Buffer | null = null; ; ) {
    const page: ReturnType<Ledger['deadLetters']['page']> = store.ledger.deadLetters.page(after, 500);
    wished.push(...page.letters.map(({ version }) => version));
    if (page.next === null) break;
    after = page.next;
  }
  expect(store.ledger.sendAgain(wished)).toBe(MANY);

  const snapshot = createSnapshot({
    ...{ path: place.manifest, mode: 'always', now: () => NOW_MS, log },
    ...{ ledger: store.ledger, journal: store.journal },
  });
  expect(await snapshot.refresh()).toBe('written');
  const { files } = JSON.parse(readFileSync(place.manifest, 'utf8')) as { files: { path: string }[] };
  expect(files.map(({ path }) => path).sort()).toEqual(names.toSorted());
  await store.close();

  const reader = await openRecordReader(place);
  const dead: string[] = [];
  for await (const page of reader?.dead({ match: [], codes: [] }) ?? [])
    dead.push(...page.map(({ receipt }) => receipt.path));
  await reader?.close();
  expect(dead.sort()).toEqual(names.toSorted());

  expect((await rebuildSource(place)).receipts).toBe(MANY);
  const rebuilt = await storeIn(folder, log);
  expect(rebuilt.ledger.counts().latest.failed).toBe(MANY);
  expect(rebuilt.ledger.deadLetters.count()).toBe(MANY);
  expect(markedAgain(rebuilt.ledger)).toBe(MANY);
  await rebuilt.close();
});
