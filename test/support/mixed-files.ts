/** A folder as people really have them: a thousand files of every size and name, among things that are no files. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface MixedFile {
  /** Path in the folder, as bytes in hex: the only form that is exact for every name. */
  readonly pathHex: string;
  /** What a browser would send as the file's name. */
  readonly sentName: string;
  readonly bytes: number;
  readonly sha256: string;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** Every awkward name once; each is one segment. */
const AWKWARD_NAMES: readonly (string | Buffer)[] = [
  'with spaces  two.txt',
  ' leading and trailing ',
  'quote".txt',
  "apostrophe's.txt",
  'back\\slash.txt',
  'semi;colon=and,comma.txt',
  '中文文件名.pdf',
  'ファイル.jpg',
  'emoji 👩‍👩‍👧 🎉.png',
  'percent 100%.txt',
  'escaped %22 %0A %E4.txt',
  'hash #1.md',
  'question?.md',
  'amp&lt;<tag>.html',
  'new\nline.txt',
  'carriage\rreturn.txt',
  'tab\tbell\u0007.txt',
  'escape\u001b[31mred.txt',
  'e\u0301 decomposed.txt',
  '\u00e9 composed.txt',
  '-rf',
  '~tilde',
  'backup~',
  '#emacs#',
  'no extension',
  'trailing dot.',
  'UPPER.JPG',
  'con',
  '{curly}[square](round).txt',
  'a'.repeat(251).concat('.txt'),
  '长'.repeat(85),
  'right\u202eto left.txt',
  'not\ufffdlossy.txt',
  Buffer.from('latin1 \xe9\xfc.txt', 'latin1'),
  Buffer.from([0xff, 0xfe, 0x2e, 0x62, 0x69, 0x6e]),
  Buffer.from([0x61, 0xed, 0xa0, 0x80, 0x2e, 0x74, 0x78, 0x74]),
];

/** Around what readers and writers take at once. */
const AWKWARD_SIZES: readonly number[] = [
  0,
  1,
  2,
  4 * KIB,
  16 * KIB - 1,
  64 * KIB - 1,
  64 * KIB,
  64 * KIB + 1,
  MIB,
  MIB + 1,
  5 * MIB,
  10 * MIB,
  50 * MIB,
];

const FOLDERS: readonly string[] = ['', 'sub', 'sub/deep er', '子/文件夹', Array(40).fill('d').join('/')];

/** Makes `count` regular files under `root` (absolute). */
export async function makeMixedFiles(root: string, count: number): Promise<MixedFile[]> {
  const files: MixedFile[] = [];
  for (const folder of FOLDERS) await mkdir(`${root}/${folder}`, { recursive: true });
  for (let index = 0; index < count; index += 1) {
    const folder = FOLDERS[index % FOLDERS.length] ?? '';
    const name = AWKWARD_NAMES[index] ?? `file ${index}.${['txt', 'png', 'pdf', 'bin'][index % 4]}`;
    const size = AWKWARD_SIZES[index - AWKWARD_NAMES.length] ?? (index * 37) % (12 * KIB);
    files.push(await makeFile(root, folder, Buffer.from(name as string), size));
  }
  return files;
}

/** Things that are to be left alone: by kind, as hidden or as junk. `outside` is a folder that links lead to. */
export async function makeNonFiles(root: string, outside: string): Promise<void> {
  await mkdir(outside, { recursive: true });
  await writeFile(`${outside}/secret.txt`, 'nobody said that this may be sent');
  await symlink('file 40.txt', `${root}/link inside.txt`);
  await symlink(outside, `${root}/link to a folder outside`);
  await symlink(`${outside}/secret.txt`, `${root}/link outside.txt`);
  await symlink('nowhere', `${root}/broken link`);
  await symlink('.', `${root}/sub/loop`);
  execFileSync('mkfifo', [`${root}/pipe`]);
  const left = [
    '.hidden',
    '.git/config',
    '.DS_Store',
    'sub/Thumbs.db',
    '@eaDir/a.jpg',
    'half.part',
    'x.tmp',
    '.a.swp',
  ];
  for (const name of left) {
    await mkdir(dirname(`${root}/${name}`), { recursive: true });
    await writeFile(`${root}/${name}`, `left alone: ${name}`);
  }
  await mkdir(`${root}/empty folder`);
}

async function makeFile(root: string, folder: string, name: Buffer, size: number): Promise<MixedFile> {
  const path = Buffer.concat([Buffer.from(folder === '' ? '' : `${folder}/`), name]);
  const content = randomBytes(size);
  await writeFile(Buffer.concat([Buffer.from(`${root}/`), path]), content);
  return {
    pathHex: path.toString('hex'),
    sentName: escapedAsBrowsersDo(name.toString('utf8')),
    bytes: size,
    sha256: createHash('sha256').update(content).digest('hex'),
  };
}

/** HTML, "multipart/form-data encoding algorithm": these three only. */
function escapedAsBrowsersDo(name: string): string {
  return name.replaceAll('\n', '%0A').replaceAll('\r', '%0D').replaceAll('"', '%22');
}
