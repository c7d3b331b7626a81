import { expect, test } from 'vitest';
import { isJunk } from '../../../src/intake/scan/junk.ts';

test.each([
  '.DS_Store',
  'Thumbs.db',
  'THUMBS.DB',
  '@eaDir',
  '.stfolder',
  '.notes.txt.swp',
  '.notes.txt.swo',
  'film.mkv.part',
  'setup.crdownload',
  'upload.TMP',
  '._photo.jpg',
  'desktop.ini',
  '#recycle',
  '#snapshot',
  '@Recycle',
  '__MACOSX',
  'movie.mkv.filepart',
  'a.partial',
  'setup.exe.opdownload',
  'image.iso.aria2',
  'film.mkv.!qB',
  'x.ocTransferId12.part',
  '~syncthing~x.pdf.tmp',
  '.syncthing.x.pdf.tmp',
  '.dropbox.cache',
  '~$report.docx',
  '.~lock.report.odt#',
  'report.pages.sb-1a2b3c4d-AbCdEf',
  '.photo.heic.icloud',
  '.nfs0000000000c0ffee00000001',
  '.fuse_hidden0000000100000001',
  '.goutputstream-X1Y2Z3',
  '.Trash-1000',
  '.~tmp~',
])('%s is junk', (name) => expect(isJunk(name, false)).toBe(true));

test.each(['lost+found', 'photo.jpg.download'])(
  '%s is junk as a folder, and the user’s as a file',
  (name) => {
    expect(isJunk(name, true)).toBe(true);
    expect(isJunk(name, false)).toBe(false);
  },
);

test.each([
  'report~',
  'thumbs.db.pdf',
  'part',
  'tmp',
  'partial',
  'x.swp',
  'swap.txt',
  '.backup.sql',
  '.logo.svg',
  '#1.txt',
  'x.nfs0000',
  'lost+found.txt',
  'a.sb-x-y',
])('%s is the user’s file', (name) => expect(isJunk(name, false)).toBe(false));
