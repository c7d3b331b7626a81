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
])('%s is junk', (name) => expect(isJunk(name)).toBe(true));

test.each([
  'report~',
  'thumbs.db.pdf',
  'part',
  'tmp',
  'a.partial',
  'x.swp',
  'swap.txt',
  '.backup.sql',
  '.logo.svg',
  '#1.txt',
  '~$report.docx',
])('%s is the user’s file', (name) => expect(isJunk(name)).toBe(false));
