import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { replayJournal } from '../../../src/ledger/journal/journal-replay.ts';
import type { SourceStore } from '../../../src/ledger/store/source-store.ts';
import { lineOf, rememberingLog, storeIn, testFolder } from '../../support/record-rig.ts';
import { jobFor } from '../../support/upload-job.ts';

const log = rememberingLog();

async function reopened(folder: string, previous?: SourceStore): Promise<SourceStore> {
  await previous?.close();
  const store = await storeIn(folder);
  onTestFinished(() => store.close().catch(() => {}));
  return store;
}

test('lines past the mark reach the ledger, in more commits than one', async () => {
  const { journal, ledger } = await reopened(testFolder());
  const paths = Array.from({ length: 2_500 }, (_, index) => `${index}.pdf`);
  await journal.append(paths.map((path) => lineOf(path)));
  expect(await replayJournal({ journal, ledger, log })).toBe(2_500);
  expect(ledger.mark()).toBe(journal.size());
  expect(ledger.counts().total.uploaded).toBe(2_500);
  expect(ledger.find(jobFor('1999.pdf').id)).toMatchObject({ gen: 0, status: 'uploaded' });
  expect(await replayJournal({ journal, ledger, log })).toBe(0);
});

test('a second line for the same generation counts once', async () => {
  const { journal, ledger } = await reopened(testFolder());
  await journal.append([lineOf('a.pdf'), lineOf('a.pdf', { status: 'failed' })]);
  expect(await replayJournal({ journal, ledger, log })).toBe(1);
  expect(ledger.findPath({ path: 'a.pdf' })).toMatchObject({ status: 'uploaded', offset: 0 });
});

test('a line that is no receipt stops with its byte', async () => {
  const folder = testFolder();
  const first = await reopened(folder);
  await first.journal.append([lineOf('a.pdf')]);
  const offset = first.journal.size();
  appendFileSync(first.journal.path, `edited by hand\n${lineOf('b.pdf')}\n`);
  const { journal, ledger } = await reopened(folder, first);
  await expect(replayJournal({ journal, ledger, log })).rejects.toMatchObject({
    code: 'journal_corrupt',
    details: { offset },
  });
});

test('an append that a power cut left with unwritten blocks is cut off', async () => {
  const folder = testFolder();
  const first = await reopened(folder);
  await first.journal.append([lineOf('a.pdf')]);
  const whole = readFileSync(first.journal.path, 'utf8');
  appendFileSync(first.journal.path, `{"v":1,"id":"f0${'\0'.repeat(4_096)}tail"}\n${lineOf('c.pdf')}\n`);
  const { journal, ledger } = await reopened(folder, first);
  expect(await replayJournal({ journal, ledger, log })).toBe(1);
  expect(readFileSync(journal.path, 'utf8')).toBe(whole);
  expect(ledger.mark()).toBe(journal.size());
  await journal.append([lineOf('c.pdf')]);
  expect(statSync(journal.path).size).toBe(journal.size());
});
