/** Archives by the tools that make them; each is made of the files in `tree`, unless it says otherwise. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { python, shell, type Tool } from './archive-tools.ts';
import { zipBytes } from './zip-bytes.ts';

export interface ArchiveCase {
  /** Its name, which is told apart from all others. */
  readonly archive: string;
  readonly tools: readonly Tool[];
  /** Makes it in a folder that has `tree` in it. */
  readonly make: (folder: string, archive: string) => void;
  /** Unpacks it into the folder `out`. */
  readonly unpack: (out: string, archive: string) => void;
}

const quoted = (path: string): string => `'${path}'`;

const unzip = (out: string, archive: string): void => void shell(out, `unzip -q ${quoted(archive)}`);
const sevenZip = (out: string, archive: string): void => void shell(out, `7z x -y ${quoted(archive)}`);
const bsdtar = (out: string, archive: string): void => void shell(out, `bsdtar -xf ${quoted(archive)}`);
const zipfile =
  (encoding: string) =>
  (out: string, archive: string): void =>
    python(
      out,
      `import zipfile; zipfile.ZipFile(${JSON.stringify(archive)}, metadata_encoding='${encoding}').extractall()`,
    );

/** A shell line; `$1` is the archive. */
function by(line: string): (folder: string, archive: string) => void {
  return (folder, archive) =>
    void execFileSync('sh', ['-ec', line, 'sh', archive], {
      cwd: folder,
      env: { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
}

/** By Python's zipfile; `out` is the open archive, `tree` the files below the tree. */
function byPython(script: string, mode = 'zipfile.ZIP_DEFLATED'): (folder: string, archive: string) => void {
  return (folder, archive) =>
    python(
      folder,
      [
        'import os, zipfile',
        "tree = [os.path.join(d, f) for d, _, fs in os.walk('tree') for f in fs]",
        `out = zipfile.ZipFile(${JSON.stringify(archive)}, 'w', ${mode})`,
        script,
        'out.close()',
      ].join('\n'),
    );
}

/** Names in bytes of another time, without a word of which: as zip programs of Windows write them. */
function namesIn(encoding: string, names: readonly string[]): ArchiveCase {
  const script = [
    `zipfile.ZipInfo._encodeFilenameFlags = lambda self: (self.filename.encode('${encoding}'), self.flag_bits & ~0x800)`,
    `for name in ${JSON.stringify(names)}:`,
    '    info = zipfile.ZipInfo(name, (2026, 11, 22, 1, 2, 4))',
    '    info.create_system = 0',
    '    out.writestr(info, name * 3)',
  ].join('\n');
  return {
    archive: `${encoding}.zip`,
    tools: ['python3'],
    make: byPython(script),
    unpack: zipfile(encoding),
  };
}

export const ZIP_CASES: readonly ArchiveCase[] = [
  { archive: 'info-zip.zip', tools: ['zip', 'unzip'], make: by('cd tree; zip -qr "../$1" .'), unpack: unzip },
  { archive: 'stored.zip', tools: ['zip', 'unzip'], make: by('cd tree; zip -qr0 "../$1" .'), unpack: unzip },
  // Written to a pipe: sizes follow the bytes.
  {
    archive: 'piped.zip',
    tools: ['zip', 'unzip'],
    make: by('cd tree; zip -qr - . | cat >"../$1"'),
    unpack: unzip,
  },
  {
    archive: 'zip64.zip',
    tools: ['zip', 'unzip'],
    make: by('cd tree; zip -qr -fz "../$1" .'),
    unpack: unzip,
  },
  {
    archive: 'piped-64.zip',
    tools: ['zip'],
    make: by('cd tree; cat deep/large.bin | zip -q -fz - - | cat >"../$1"'),
    // Its end record is wrong, and no unpacker reads it: what went in is known.
    unpack: (out) => void shell(out, 'cp ../../tree/deep/large.bin ./-'),
  },
  {
    archive: 'script-before.zip',
    tools: ['zip', 'unzip'],
    make: by(
      'cd tree; zip -qr ../plain.zip .; cd ..; { printf "#!/bin/sh\\nexit 0\\n"; cat plain.zip; } >"$1"',
    ),
    unpack: (out, archive) => void shell(out, `unzip -q ${quoted(archive)} || [ $? = 1 ]`),
  },
  {
    archive: 'script-before-adjusted.zip',
    tools: ['zip', 'unzip'],
    make: by(
      'cd tree; zip -qr ../p2.zip .; cd ..; { printf "#!/bin/sh\\nexit 0\\n"; cat p2.zip; } >"$1"; zip -qA "$1"',
    ),
    unpack: unzip,
  },
  {
    archive: 'zip64-script-before.zip',
    tools: ['zip', 'bsdtar'],
    make: by(
      'cd tree; zip -qr -fz ../p3.zip .; cd ..; { printf "#!/bin/sh\\nexit 0\\n"; cat p3.zip; } >"$1"',
    ),
    unpack: zipfile('utf-8'),
  },
  {
    archive: 'line-feed-after.zip',
    tools: ['zip', 'bsdtar'],
    make: by('cd tree; zip -qr "../$1" .; echo >>"../$1"'),
    unpack: bsdtar,
  },
  {
    archive: 'comment.zip',
    tools: ['zip', 'bsdtar'],
    make: by('cd tree; zip -qr "../$1" .; printf "a comment PK\\005\\006 %030000d" 7 | zip -qz "../$1"'),
    unpack: bsdtar,
  },
  {
    archive: '7z.zip',
    tools: ['7z'],
    make: by('cd tree; 7z a -bd -tzip "../$1" . >/dev/null'),
    unpack: sevenZip,
  },
  {
    archive: 'bsdtar.zip',
    tools: ['bsdtar'],
    make: by('cd tree; bsdtar -cf "../$1" --format zip *'),
    unpack: bsdtar,
  },
  {
    archive: 'python.zip',
    tools: ['python3'],
    make: byPython('for path in tree: out.write(path, path[5:])'),
    unpack: zipfile('utf-8'),
  },
  {
    archive: 'zstd.zip',
    tools: ['7z'],
    make: byZstandard,
    unpack: sevenZip,
  },
  {
    archive: 'replaced.zip',
    tools: ['python3'],
    make: byPython(
      "for text in ['first!', 'second']: out.writestr(zipfile.ZipInfo('a.txt', (2026, 11, 22, 1, 2, 4)), text)",
    ),
    unpack: zipfile('utf-8'),
  },
  namesIn('shift_jis', ['ソース一覧.txt', '表.txt', '写真/東京の予定.txt', '能力テスト.csv']),
  namesIn('gbk', ['新建文件夹/工作报告.txt', '公司合同（最终版）.doc', '图片1.png']),
  namesIn('big5', ['新增資料夾/會議記錄.txt', '功能說明.txt', '圖片許功蓋.png']),
  namesIn('euc-kr', ['새 폴더/회의록.txt', '보고서 최종.hwp', '사진 1.png']),
  namesIn('cp437', ['Résumé.txt', 'Größe/Übersicht.txt', 'mañana à côté.txt', 'Citroën.txt']),
];

/** As WinZip and 7-Zip ZS write it; what Debian has only reads it. */
function byZstandard(folder: string, archive: string): void {
  const entry = (name: string, content: string) => ({
    ...{ name, content, method: 93 },
    packed: zstdCompressSync(Buffer.from(content)),
  });
  writeFileSync(
    join(folder, archive),
    zipBytes([entry('long.txt', 'zstandard '.repeat(50_000)), entry('short.txt', 'z')]),
  );
}

const gnuTar = (out: string, archive: string): void => void shell(out, `tar -xf ${quoted(archive)}`);

/** Files with holes beside the others, and a hard link to each kind. */
const SPARSE = `
  cp -r tree "$1.d"
  truncate -s 3000000 "$1.d/hole.img"
  for at in 0 40 100 400 900 1500 2000 2500 2800; do
    printf "piece $at" | dd of="$1.d/many.img" bs=1000 seek=$at conv=notrunc 2>/dev/null
  done
  truncate -s 3000000 "$1.d/many.img"
  printf end >>"$1.d/many.img"
`;

function ofGnuTar(archive: string, options: string, before: string | null = null): ArchiveCase {
  const [prepare, folder] = before === null ? ['', 'tree'] : [`${before}\n`, '$1.d'];
  return {
    archive,
    tools: ['tar'],
    make: by(`${prepare}tar -cf "$1" ${options} -C "${folder}" .`),
    unpack: gnuTar,
  };
}

function ofBsdtar(archive: string, options: string): ArchiveCase {
  const files = options.includes('v7') ? 'deep "read me.txt" empty' : '.';
  return {
    archive,
    tools: ['bsdtar'],
    make: by(`bsdtar -cf "$1" ${options} -C tree ${files}`),
    unpack: bsdtar,
  };
}

const LINKED =
  'cp -r tree "$1.d"; cd "$1.d"; ln "read me.txt" a-link; ln deep/large.bin b-link; ln deep/large.bin deep/c-link; cd ..';
/** Names that are no UTF-8. */
const LATIN1 =
  'cp -r tree "$1.d"; printf one >"$1.d/$(printf "r\\351sum\\351")"; printf two >"$1.d/$(printf "r\\350sum\\350")"';

export const TAR_CASES: readonly ArchiveCase[] = [
  ofGnuTar('gnu.tar', '--format=gnu'),
  ofGnuTar('oldgnu.tar', '--format=oldgnu'),
  ofGnuTar('ustar.tar', '--format=ustar --exclude=./long'),
  ofGnuTar('posix.tar', '--format=posix'),
  ofGnuTar('v7.tar', '--format=v7 --exclude=./long --exclude=./split'),
  ofGnuTar('gnu.tar.gz', '-z --format=gnu'),
  ofGnuTar('posix.tar.zst', '--zstd --format=posix'),
  ofGnuTar('volume-label.tar', '--format=gnu --label=backup'),
  ofGnuTar('incremental.tar', '--format=gnu --listed-incremental="$1.snar"'),
  ofGnuTar('sparse-gnu.tar', '--format=gnu --sparse', SPARSE),
  ofGnuTar('sparse-0.0.tar', '--format=posix --sparse-version=0.0', SPARSE),
  ofGnuTar('sparse-0.1.tar', '--format=posix --sparse-version=0.1', SPARSE),
  ofGnuTar('sparse-1.0.tar.gz', '-z --format=posix --sparse-version=1.0', SPARSE),
  ofGnuTar('links.tar', '--format=gnu', LINKED),
  ofGnuTar('links.tar.gz', '-z --format=posix', LINKED),
  ofGnuTar('latin1-gnu.tar', '--format=gnu', LATIN1),
  ofGnuTar('latin1-posix.tar', '--format=posix', LATIN1),
  ofBsdtar('bsd-pax.tar', '--format pax'),
  ofBsdtar('bsd-ustar.tar', '--format ustar --exclude ./long'),
  ofBsdtar('bsd-gnutar.tar', '--format gnutar'),
  ofBsdtar('bsd-v7.tar', '--format v7'),
  {
    archive: 'bsd-sparse.tar',
    tools: ['bsdtar'],
    make: by(`${SPARSE}\nbsdtar --read-sparse -cf "$1" --format pax -C "$1.d" .`),
    unpack: bsdtar,
  },
  {
    archive: 'bsd-links.tar',
    tools: ['bsdtar'],
    make: by(`${LINKED}; bsdtar -cf "$1" --format pax -C "$1.d" .`),
    unpack: bsdtar,
  },
  {
    archive: 'python.tar',
    tools: ['python3'],
    make: (folder, archive) =>
      python(
        folder,
        `import tarfile; t = tarfile.open(${JSON.stringify(archive)}, 'w'); t.add('tree', '.'); t.close()`,
      ),
    unpack: gnuTar,
  },
  {
    archive: '7z.tar',
    tools: ['7z'],
    make: by('cd tree; 7z a -bd -ttar "../$1" . >/dev/null'),
    unpack: gnuTar,
  },
  {
    archive: 'line-feed-after.tgz',
    tools: ['tar'],
    make: by('tar -czf "$1" -C tree .; echo >>"$1"'),
    unpack: (out, archive) => void shell(out, `tar -xf ${quoted(archive)} 2>/dev/null || [ $? = 2 ]`),
  },
  {
    archive: 'two-members.tgz',
    tools: ['tar'],
    make: by(
      'tar -cf plain.tar -C tree .; head -c 300000 plain.tar | gzip >"$1"; tail -c +300001 plain.tar | gzip >>"$1"',
    ),
    unpack: gnuTar,
  },
  {
    archive: 'two-frames.tar.zst',
    tools: ['tar', 'zstd'],
    make: by(
      'tar -cf plain.tar -C tree .; head -c 9 plain.tar | zstd -q >"$1"; tail -c +10 plain.tar | zstd -q >>"$1"',
    ),
    unpack: gnuTar,
  },
  {
    archive: 'really-gzip.tar',
    tools: ['tar'],
    make: by('tar -czf "$1" -C tree .'),
    unpack: gnuTar,
  },
];
