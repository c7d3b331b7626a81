import {
  appendFileSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { withoutSum, withSum } from '../../../src/ledger/journal/line-sum.ts';
import {
  type JournalFile,
  journalPathOf,
  type ManifestJournal,
  openJournal,
} from '../../../src/ledger/journal/manifest-journal.ts';
import { lineOf, rememberingLog, testFolder } from '../../support/record-rig.ts';

interface Rig {
  readonly path: string;
  readonly log: ReturnType<typeof rememberingLog>;
  open(mark?: number, wrap?: (file: JournalFile) => JournalFile): Promise<ManifestJournal>;
}

function journalRig(): Rig {
  const path = join(testFolder(), 'inbox.manifest.jsonl');
  const log = rememberingLog();
  return {
    path,
    log,
    async open(mark = 0, wrap) {
      const openFile = async (name: string): Promise<JournalFile> =>
        wrap?.(await open(name, 'r+')) ?? open(name, 'r+');
      const journal = await openJournal({
        path,
        mark,
        ledger: '/ledger',
        log,
        ...(wrap === undefined ? {} : { openFile }),
      });
      onTestFinished(() => journal.close());
      return journal;
    },
  };
}

async function allLines(journal: ManifestJournal, from = 0): Promise<string[]> {
  const found: string[] = [];
  for await (const lines of journal.lines(from))
    found.push(...lines.map((line) => withoutSum(line.bytes.toString('utf8'))));
  return found;
}

/** A disk that takes `room` bytes of the next writes and then says `code`. */
function fullDisk(
  file: JournalFile,
  disk: { room: number; code: string; failSync?: boolean; failTruncate?: boolean },
): JournalFile {
  const fail = (): never => {
    throw Object.assign(new Error(disk.code), { code: disk.code });
  };
  return {
    stat: file.stat.bind(file),
    read: file.read.bind(file),
    close: () => file.close(),
    async truncate(size?: number) {
      if (disk.failTruncate) fail();
      await file.truncate(size);
    },
    async datasync() {
      if (disk.failSync) fail();
      await file.datasync();
    },
    write: (async (bytes: Buffer, offset: number, length: number, position: number) => {
      if (disk.room <= 0) fail();
      const part = Math.min(length, disk.room);
      disk.room -= part;
      return file.write(bytes, offset, part, position);
    }) as JournalFile['write'],
  };
}

test.each([
  ['/a/x.manifest.json', '/a/x.manifest.jsonl'],
  ['/a/receipts', '/a/receipts.jsonl'],
])('the journal of %s is %s', (manifest, journal) => {
  expect(journalPathOf(manifest)).toBe(journal);
});

test('lines that were appended are found at their places and after reopening', async () => {
  const rig = journalRig();
  const journal = await rig.open();
  const [first] = await journal.append([lineOf('a.pdf')]);
  const [, third] = await journal.append([lineOf('ä.pdf'), lineOf('日本.pdf')]);
  expect(first?.offset).toBe(0);
  await expect(journal.read(third ?? { offset: -1, length: 0 })).resolves.toMatchObject({ path: '日本.pdf' });

  const again = await rig.open(journal.size());
  expect(again.size()).toBe(statSync(rig.path).size);
  expect(await allLines(again)).toEqual([lineOf('a.pdf'), lineOf('ä.pdf'), lineOf('日本.pdf')]);
  expect(await allLines(again, third?.offset)).toEqual([lineOf('日本.pdf')]);
});

test('nobody else may read the journal', async () => {
  const rig = journalRig();
  await rig.open();
  expect(statSync(rig.path).mode & 0o777).toBe(0o600);
});

test('a torn last line is cut and the cut is logged', async () => {
  const rig = journalRig();
  writeFileSync(rig.path, `${lineOf('a.pdf')}\n{"v":1,"id":"f00`);
  const journal = await rig.open();
  expect(readFileSync(rig.path, 'utf8')).toBe(`${lineOf('a.pdf')}\n`);
  expect(journal.size()).toBe(statSync(rig.path).size);
  expect(rig.log.lines).toMatchObject([{ level: 'warn', fields: { bytes: 16, offset: journal.size() } }]);
});

test('a torn line longer than the part that is looked at first is cut too', async () => {
  const rig = journalRig();
  writeFileSync(rig.path, `${lineOf('a.pdf')}\n${'x'.repeat(200_000)}`);
  const journal = await rig.open();
  expect(journal.size()).toBe(lineOf('a.pdf').length + 1);
});

test('a journal of nothing but a torn line begins anew', async () => {
  const rig = journalRig();
  writeFileSync(rig.path, '{"v":1');
  expect((await rig.open()).size()).toBe(0);
});

test('a journal shorter than the ledger knows stops with the choices, untouched', async () => {
  const rig = journalRig();
  writeFileSync(rig.path, `${lineOf('a.pdf')}\n{"torn`);
  const size = statSync(rig.path).size;
  await expect(rig.open(size)).rejects.toMatchObject({
    code: 'journal_short',
    details: { mark: size, ledger: '/ledger' },
  });
  await expect(rig.open(size + 1)).rejects.toMatchObject({ code: 'journal_short' });
  expect(statSync(rig.path).size).toBe(size);
});

test('a journal that is gone is not created again while the ledger knows of one', async () => {
  const rig = journalRig();
  await expect(rig.open(100)).rejects.toMatchObject({ code: 'journal_short', details: { size: 0 } });
  expect(() => statSync(rig.path)).toThrow();
});

test('a journal with no line ending at the mark is another file', async () => {
  const rig = journalRig();
  writeFileSync(rig.path, `${lineOf('a.pdf')}\n${lineOf('b.pdf')}\n`);
  await expect(rig.open(100)).rejects.toMatchObject({ code: 'journal_changed' });
});

test('a folder that cannot hold a journal is named', async () => {
  const folder = testFolder();
  writeFileSync(join(folder, 'file'), '');
  const path = join(folder, 'file', 'x.jsonl');
  await expect(openJournal({ path, mark: 0, ledger: '/l', log: rememberingLog() })).rejects.toMatchObject({
    code: 'journal_unwritable',
    details: { path },
  });
});

test.each(['EACCES', 'EPERM', 'EROFS'])(
  '%s at the start is a mistake of the config, with the fix',
  async (code) => {
    const path = join(testFolder(), 'x.manifest.jsonl');
    const openFile = (): Promise<JournalFile> => Promise.reject(Object.assign(new Error(code), { code }));
    const opened = openJournal({ path, mark: 0, ledger: '/l', log: rememberingLog(), openFile });
    await expect(opened).rejects.toMatchObject({
      code: 'journal_forbidden',
      kind: 'config',
      retryable: false,
      message: expect.stringContaining('sources.NAME.manifest'),
    });
  },
);

test.each(['ENOSPC', 'EDQUOT'])('%s takes a partial append back and says the disk is full', async (code) => {
  const rig = journalRig();
  await rig.open();
  const disk = { room: Number.POSITIVE_INFINITY, code };
  const journal = await rig.open(0, (file) => fullDisk(file, disk));
  await journal.append([lineOf('a.pdf')]);
  const before = readFileSync(rig.path, 'utf8');
  disk.room = 30;
  await expect(journal.append([lineOf('b.pdf')])).rejects.toMatchObject({
    code: 'disk_full',
    retryable: true,
  });
  expect(readFileSync(rig.path, 'utf8')).toBe(before);

  disk.room = Number.POSITIVE_INFINITY;
  await journal.append([lineOf('b.pdf')]);
  expect(await allLines(journal)).toEqual([lineOf('a.pdf'), lineOf('b.pdf')]);
});

test('lines that could not be synced are taken back, even if only by the next append', async () => {
  const rig = journalRig();
  await rig.open();
  const disk = { room: Number.POSITIVE_INFINITY, code: 'EIO', failSync: true, failTruncate: true };
  const journal = await rig.open(0, (file) => fullDisk(file, disk));
  await expect(journal.append([lineOf('a.pdf')])).rejects.toMatchObject({ code: 'journal_unwritable' });
  expect(journal.size()).toBe(0);
  disk.failSync = false;
  disk.failTruncate = false;
  await journal.append([lineOf('b.pdf')]);
  expect(readFileSync(rig.path, 'utf8')).toBe(`${withSum(lineOf('b.pdf'))}\n`);
});

test.each([
  ['deleted', (path: string) => rmSync(path)],
  [
    'replaced',
    (path: string) => {
      writeFileSync(`${path}.new`, readFileSync(path));
      renameSync(`${path}.new`, path);
    },
  ],
  ['appended to', (path: string) => appendFileSync(path, 'x\n')],
  ['truncated', (path: string) => truncateSync(path, 1)],
])('a journal that is %s behind our back is not written any further', async (_what, change) => {
  const rig = journalRig();
  const journal = await rig.open();
  await journal.append([lineOf('a.pdf')]);
  change(rig.path);
  await expect(journal.append([lineOf('b.pdf')])).rejects.toMatchObject({
    code: 'journal_changed',
    retryable: false,
  });
});

test('a journal larger than any chunk is streamed whole, long lines included', async () => {
  const rig = journalRig();
  const journal = await rig.open();
  const lines = Array.from(
    { length: 3_000 },
    (_, index) => `${index}:${'x'.repeat(index % 500 === 7 ? 600_000 : index % 400)}`,
  );
  const places = await journal.append(lines);
  expect(await allLines(journal)).toEqual(lines);

  const wanted = places.filter((_, index) => index % 7 === 0);
  const picked: string[] = [];
  for await (const line of journal.pick(wanted.map((place) => place.offset)))
    picked.push(line.toString('utf8'));
  expect(picked).toEqual(lines.filter((_, index) => index % 7 === 0));
});

test('what is appended while somebody reads is left to the next reader', async () => {
  const rig = journalRig();
  const journal = await rig.open();
  await journal.append(['one']);
  const reading = journal.lines(0);
  await journal.append(['two']);
  const seen: string[] = [];
  for await (const lines of reading) seen.push(...lines.map((line) => line.bytes.toString()));
  expect(seen.length).toBeGreaterThan(0);
  expect(seen[0]).toBe('one');
});

test('a place without a receipt is a corrupt journal', async () => {
  const rig = journalRig();
  const journal = await rig.open();
  await journal.append([lineOf('a.pdf')]);
  await expect(journal.read({ offset: 3, length: 10 })).rejects.toMatchObject({
    code: 'journal_corrupt',
    details: { offset: 3 },
  });
  await expect(journal.read({ offset: 3, length: 10_000 })).rejects.toMatchObject({
    code: 'journal_corrupt',
  });
});
