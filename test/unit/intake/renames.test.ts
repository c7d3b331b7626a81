import { expect, test } from 'vitest';
import type { Receipt } from '../../../src/domain/receipt.ts';
import { atFirstSight } from '../../../src/domain/sight.ts';
import type { FileCandidate, UploadCandidate } from '../../../src/intake/admit/candidate.ts';
import type { EarlierUploads } from '../../../src/intake/admit/earlier-uploads.ts';
import { createRenames } from '../../../src/intake/admit/renames.ts';
import type { SeenFile } from '../../../src/intake/scan/seen-file.ts';
import type { FileStat, FileStats } from '../../../src/intake/scan/stat-files.ts';
import { NO_UPLOADS } from '../../support/intake-rig.ts';
import { seenFile } from '../../support/next-generation.ts';
import { receiptOf } from '../../support/record-rig.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

const MOVED = seenFile('new', { ino: 7n });

function needOf(file: SeenFile, asked = false): UploadCandidate<FileCandidate> {
  const version = { source: 's', destination: 'd', ...file.name, size: file.size, mtimeNs: file.mtimeNs };
  return {
    jobId: `${file.name.path}-0`,
    id: 'f',
    version,
    file,
    sight: atFirstSight(0),
    ruling: { kind: 'upload', gen: 0, asked },
    arrival: 'backlog',
    unlimited: false,
  };
}

interface World {
  readonly before?: FileStat;
  readonly after?: FileStat;
  readonly rootPresent?: boolean;
  readonly uploads?: Partial<EarlierUploads>;
  readonly asked?: boolean;
}

/** Whether `new` is taken for what was uploaded as `old`. */
async function isRename(world: World): Promise<boolean> {
  const upload: Receipt = receiptOf(uploadedOutcome('old'));
  const places: Record<string, FileStat> = {
    old: world.before ?? { kind: 'gone' },
    new: world.after ?? { kind: 'file', file: MOVED },
  };
  const fileStats: FileStats = {
    at: async (names) => names.map(({ path }) => places[path] ?? { kind: 'gone' }),
    onLoop: () => true,
  };
  const renames = createRenames({
    fileStats,
    uploads: { ...NO_UPLOADS, ofInode: () => 'f1', standIn: async () => upload, ...world.uploads },
    rootPresent: async () => world.rootPresent ?? true,
  });
  const need = needOf(MOVED, world.asked);
  return (await renames.among([need])).get(need) === upload;
}

test.each<[string, World, boolean]>([
  ['the old path is gone and the file lies at the new one', {}, true],
  ['something lies at the old path', { before: { kind: 'file', file: seenFile('old') } }, false],
  ['the old path is a folder now', { before: { kind: 'directory' } }, false],
  [
    'the old path cannot be looked at',
    { before: { kind: 'unobservable', error: new Error('EACCES') } },
    false,
  ],
  ['the folder of the source is not there', { rootPresent: false }, false],
  ['the file is gone by now', { after: { kind: 'gone' } }, false],
  ['the file was written to by now', { after: { kind: 'file', file: { ...MOVED, mtimeNs: '2' } } }, false],
  ['another file took its place', { after: { kind: 'file', file: { ...MOVED, ino: 8n } } }, false],
  ['its receipt stands for nothing any more', { uploads: { standIn: async () => null } }, false],
  ['nothing is known of the file', { uploads: { ofInode: () => null } }, false],
  ['it was asked for', { asked: true }, false],
])('%s: %s', async (_what, world, expected) => expect(await isRename(world)).toBe(expected));

test('files that nothing is known of cost no look and no receipt', async () => {
  const refuse = (): never => {
    throw new Error('asked');
  };
  const renames = createRenames({
    fileStats: { at: refuse, onLoop: refuse },
    uploads: { ...NO_UPLOADS, standIn: refuse },
    rootPresent: refuse,
  });
  expect((await renames.among([needOf(MOVED), needOf(seenFile('b'))])).size).toBe(0);
});
