import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import { expect, test, vi } from 'vitest';
import { silentLog } from '../../../src/domain/log.ts';
import { openLedger } from '../../../src/ledger/ledger.ts';
import { ledgerPathOf } from '../../../src/ledger/store/source-store.ts';
import { openAcceptedFiles } from '../../../src/ledger/tables/accepted-files.ts';
import { openKeptAnswers } from '../../../src/ledger/tables/kept-answers.ts';
import { openKeyUsage } from '../../../src/ledger/tables/key-usage.ts';
import { openReceivedIndex } from '../../../src/ledger/tables/received-index.ts';
import { TABLE_NAMES, tablesOfFate } from '../../../src/ledger/tables/table-registry.ts';
import { buildLedger } from '../../../src/ledger/upkeep/build-ledger.ts';
import { definitionOf } from '../../support/destination-definitions.ts';
import { endpointTo, receiptFor, recordReceipts, SENDERS } from '../../support/notify-rig.ts';
import { storeIn, testFolder } from '../../support/record-rig.ts';
import { runRig } from '../../support/run-rig.ts';
import { sandboxForTest } from '../../support/sandbox.ts';
import { startReceiver } from '../../support/webhook-receiver.ts';

const SRC = join(import.meta.dirname, '../../../src');

test('tables are opened in one place, by a name of the registry', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const openers = files.filter((name) => readFileSync(join(SRC, name), 'utf8').includes('openDB'));
  expect(openers).toEqual(['ledger/ledger-environment.ts']);
});

test('a run with everything in it, and what the gateway keeps, make every table of the registry, and no other', async () => {
  const { autoglmUrl, tokenUrl } = await sandboxForTest();
  const receiver = await startReceiver();
  const rig = await runRig({
    definition: definitionOf('autoglm', { url: autoglmUrl, token: { url: tokenUrl } }),
    source: { dedupe: 'content', batch: { by: 'topFolder', quiet: 100 } },
    telling: { endpointsOf: () => [endpointTo(receiver.origin)], senders: SENDERS },
  });
  rig.file('folder/one.txt');
  const run = await rig.start();
  await vi.waitFor(() => expect(receiver.told().size).toBe(1), 20_000);
  await run.stop(5_000);
  const ledger = openLedger(ledgerPathOf(rig.dataDir, 'inbox'));
  openKeptAnswers(ledger);
  openKeyUsage(ledger);
  openAcceptedFiles(ledger);
  const journal = join(rig.dataDir, 'empty.jsonl');
  writeFileSync(journal, '');
  await openReceivedIndex(ledger, journal);
  await ledger.close();
  const root = open({ path: ledgerPathOf(rig.dataDir, 'inbox'), noSubdir: false, readOnly: true });
  expect([...root.getKeys()].map(String).sort()).toEqual([...TABLE_NAMES].sort());
  await root.close();
});

test('what is copied is there, byte for byte, in a ledger that is built anew', async () => {
  const folder = testFolder();
  const store = await storeIn(folder, silentLog);
  await recordReceipts(store, [receiptFor('a.pdf')]);
  const copied = tablesOfFate('copied');
  expect(copied.length).toBeGreaterThan(8);
  const { ledger } = store;
  // More than a page of each.
  const rows = Array.from({ length: 1_200 }, (_, index) =>
    Buffer.from(`key-${String(index).padStart(5, '0')}`),
  );
  ledger.transact(() => {
    for (const name of copied)
      for (const key of rows) ledger.rawTable(name)?.putSync(key, Buffer.from(`${name} of ${key}`));
  });
  const path = join(folder, 'anew');
  await buildLedger({ path, journal: store.journal.path, before: ledger, log: silentLog });
  await store.close();
  const anew = openLedger(path);
  for (const name of copied) {
    const found = [...(anew.rawTable(name)?.getRange({}) ?? [])].map(({ value }) => value.toString());
    expect(found).toEqual(rows.map((key) => `${name} of ${key}`));
  }
  await anew.close();
});
