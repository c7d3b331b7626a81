/** Ledgers and journals with flipped bits, cut off, or edited: every start ends in right books, or in a sentence with the way out. */
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SlipwayError } from '../../../src/domain/errors.ts';
import type { Intent } from '../../../src/ledger/intent.ts';
import { replayJournal } from '../../../src/ledger/journal/journal-replay.ts';
import { decodeReceipt } from '../../../src/ledger/journal/receipt-codec.ts';
import type { SourceStore } from '../../../src/ledger/store/source-store.ts';
import { seededRandom } from '../../../src/sandbox/trouble/seeded-random.ts';
import { lineOf, rememberingLog, storeIn, testFolder } from '../../support/record-rig.ts';

const FILES = 300;
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

/** A folder with books of a few hundred receipts, some of them of a second generation. */
async function books(): Promise<{ folder: string; journal: string; ledger: string }> {
  const folder = testFolder();
  const store = await storeIn(folder);
  const names = Array.from({ length: FILES }, (_, index) => `sub/${index}.txt`);
  await store.journal.append(names.map((name, index) => lineOf(name, index % 7 === 0 ? failure : {})));
  await store.journal.append(
    names.filter((_, index) => index % 9 === 0).map((name) => lineOf(name, { gen: 1 })),
  );
  await replayJournal({ ...store, log: rememberingLog() });
  await store.close();
  return {
    folder,
    journal: join(folder, 'inbox.manifest.jsonl'),
    ledger: join(folder, 'data/sources/inbox/ledger/data.mdb'),
  };
}

/** What the journal says, line by line; broken ones are left out. */
function truth(journal: string): Map<string, { gen: number; status: string }> {
  const said = new Map<string, { gen: number; status: string }>();
  for (const line of readFileSync(journal, 'utf8').split('\n')) {
    const receipt = decodeReceipt(line);
    if (receipt === null || (said.get(receipt.id)?.gen ?? -1) >= receipt.gen) continue;
    said.set(receipt.id, { gen: receipt.gen, status: receipt.status });
  }
  return said;
}

function wrongIn({ ledger }: SourceStore, said: ReturnType<typeof truth>): string[] {
  return [...said].flatMap(([id, { gen, status }]) => {
    const known = ledger.find(id);
    return known?.gen === gen && known.status === status ? [] : [`${id} ${known?.gen} ${known?.status}`];
  });
}

/** A start: the sentence that refuses it, or `right`. */
async function start(folder: string, said: ReturnType<typeof truth>): Promise<string> {
  const log = rememberingLog();
  let store: SourceStore;
  try {
    store = await storeIn(folder, log);
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    expect(error.message).toMatch(/move|put|repair|remove/);
    return error.code;
  }
  try {
    await replayJournal({ ...store, log });
    expect(wrongIn(store, said)).toEqual([]);
    return 'right';
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    return error.code;
  } finally {
    await store.close();
  }
}

test('40 flipped bits in the ledger: ten starts end in right books or a sentence, and so do those that follow', async () => {
  const whole = await books();
  const said = truth(whole.journal);
  const ends: string[] = [];
  for (let seed = 0; seed < 10; seed += 1) {
    const folder = join(testFolder(), 'copy');
    cpSync(whole.folder, folder, { recursive: true });
    const path = join(folder, 'data/sources/inbox/ledger/data.mdb');
    const bytes = readFileSync(path);
    const random = seededRandom(seed);
    for (let bit = 0; bit < 40; bit += 1) {
      const at = Math.floor(random() * bytes.length);
      bytes.writeUInt8((bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8)), at);
    }
    writeFileSync(path, bytes);
    const first = await start(folder, said);
    ends.push(first, await start(folder, said));
    // What the sentence says helps.
    if (first !== 'ledger_unreadable') continue;
    rmSync(join(folder, 'data/sources/inbox/ledger'), { recursive: true });
    expect(await start(folder, said)).toBe('right');
  }
  expect(ends.filter((end) => end !== 'right' && end !== 'ledger_unreadable')).toEqual([]);
});

test('a record that a flipped bit made another is built again from the journal, the old ledger kept beside', async () => {
  const { folder, journal, ledger } = await books();
  const bytes = readFileSync(ledger);
  // The id of a version, as the key of its record: every place where it stands.
  const [id = ''] = [...truth(journal).keys()];
  const key = Buffer.from(id.slice(1), 'hex');
  for (let at = bytes.indexOf(key); at !== -1; at = bytes.indexOf(key, at + 1))
    bytes.writeUInt8((bytes[at] ?? 0) ^ 1, at);
  writeFileSync(ledger, bytes);
  const log = rememberingLog();
  const store = await storeIn(folder, log);
  expect(wrongIn(store, truth(journal))).toEqual([]);
  await store.close();
  expect(log.lines.map(({ message }) => message)).toContain(
    'the ledger is damaged: it is built again from the manifest journal',
  );
  expect(await start(folder, truth(journal))).toBe('right');
});

test.each([0.1, 0.3, 0.5, 0.8, 0.99])(
  'a ledger cut off at %f of its length ends in a sentence or right books',
  async (share) => {
    const { folder, journal, ledger } = await books();
    truncateSync(ledger, Math.floor(readFileSync(ledger).length * share));
    expect(['right', 'ledger_unreadable']).toContain(await start(folder, truth(journal)));
  },
);

const middle = (bytes: Buffer): number => bytes.indexOf('\n', bytes.length / 2) + 1;
const edits: Record<string, (bytes: Buffer) => Buffer> = {
  'a torn last line': (bytes) => Buffer.concat([bytes, bytes.subarray(0, 200)]),
  'blocks of NUL behind it': (bytes) => Buffer.concat([bytes, Buffer.alloc(4_096), Buffer.from('\n')]),
  'a line twice': (bytes) => Buffer.concat([bytes, bytes.subarray(0, bytes.indexOf('\n') + 1)]),
  'a flipped bit in its middle': (bytes) => {
    const at = middle(bytes) + 100;
    bytes.writeUInt8((bytes[at] ?? 0) ^ 2, at);
    return bytes;
  },
  'a torn middle': (bytes) =>
    Buffer.concat([bytes.subarray(0, middle(bytes) + 50), bytes.subarray(middle(bytes) + 90)]),
  'a shorter end': (bytes) => bytes.subarray(0, middle(bytes)),
};

test.each(Object.keys(edits))('a journal with %s ends in right books or a sentence', async (what) => {
  const { folder, journal } = await books();
  writeFileSync(journal, edits[what]?.(readFileSync(journal)) ?? '');
  const end = await start(folder, truth(journal));
  expect(['right', 'journal_short', 'journal_changed', 'journal_corrupt']).toContain(end);
  expect(await start(folder, truth(journal))).toBe(end);
  // No (id, gen) is known twice, whatever the file says.
  rmSync(join(folder, 'data'), { recursive: true });
  expect(['right', 'journal_corrupt']).toContain(await start(folder, truth(journal)));
});

test('a flipped bit in a line that is not recorded yet is no receipt; one that is recorded is said', async () => {
  const { folder, journal } = await books();
  const bytes = readFileSync(journal);
  const begin = middle(bytes);
  bytes.writeUInt8((bytes[begin + 100] ?? 0) ^ 2, begin + 100);
  writeFileSync(journal, bytes);
  const log = rememberingLog();
  await (await storeIn(folder, log)).close();
  expect(log.lines).toContainEqual(
    expect.objectContaining({ message: expect.stringContaining('a line that is not a receipt any more') }),
  );
  const store = await storeIn(folder);
  const { path } = store.journal;
  await store.journal.append([lineOf('late.txt')]);
  await store.close();
  const longer = readFileSync(path);
  longer.writeUInt8((longer[longer.length - 200] ?? 0) ^ 2, longer.length - 200);
  writeFileSync(path, longer);
  expect(await start(folder, truth(path))).toBe('journal_corrupt');
});

test('a ledger that was lost says what it cannot know: which files were still to be moved or deleted', async () => {
  const { folder } = await books();
  rmSync(join(folder, 'data'), { recursive: true });
  const log = rememberingLog();
  const store = await storeIn(folder, log);
  const intentOf = ({ status }: { status: string }) => (status === 'uploaded' ? ({} as Intent) : null);
  await replayJournal({ ...store, log, intentOf });
  await store.close();
  expect(log.lines.filter(({ message }) => message.startsWith('the ledger was lost'))).toHaveLength(1);
});
