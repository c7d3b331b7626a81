import { createReadStream } from 'node:fs';
import { bytesOf, type PathName } from '../../domain/path-bytes.ts';
import { entryTimeNs, type FileEntry, type RefusedEntry } from './archive-entry.ts';
import type { ArchiveKind } from './archive-kind.ts';
import { bombIn, createBombWatch } from './bomb-limits.ts';
import { judgeEntryName } from './entry-name.ts';
import { createHardLinks, type HardLinks } from './tar-hard-links.ts';
import { type TarMember, tarMembers } from './tar-members.ts';
import { unpackedStream } from './unpack-stream.ts';

export type TarKind = Exclude<ArchiveKind, 'zip'>;

const READ_BYTES = 256 * 1024;

/**
 * The files of a .tar, plain or compressed, in its order; hard links come behind them, with the bytes of what they link
 * to, for which it is read again. It is read from front to back, whatever is taken: an entry that is not opened is
 * passed over. Throws what is wrong with the archive as a whole, once what is whole in front of it was given.
 */
export async function* tarEntries(path: string, kind: TarKind): AsyncGenerator<FileEntry | RefusedEntry> {
  let damage: Error | null = null;
  for (let from = 0, links = 1; from < links; from += MAX_LINKS) {
    const waiting = createHardLinks();
    links = 0;
    try {
      const watch = createBombWatch(Number.POSITIVE_INFINITY);
      for await (const member of membersOf(path, kind)) {
        const found = entryOf(member);
        if (found === null) continue;
        const bomb = watch.entry(found.size);
        if (bomb !== null) throw new Error(bomb);
        const isLink = member.type === '1' && found.kind === 'file';
        if (isLink && links >= from && links < from + MAX_LINKS) waiting.add(found, member.linkName);
        if (isLink) links += 1;
        else if (from === 0) yield found;
      }
    } catch (error) {
      damage = damageOf(error);
    }
    yield* linked(path, kind, waiting);
  }
  if (damage !== null) throw damage;
}

/** At a time: those of an archive that is all links are not kept in memory at once. */
const MAX_LINKS = 100_000;

/** The links as files, however often the archive has to be read for them. */
async function* linked(
  path: string,
  kind: TarKind,
  links: HardLinks,
): AsyncGenerator<FileEntry | RefusedEntry> {
  while (links.waiting() > 0) {
    const before = links.waiting();
    try {
      for await (const member of membersOf(path, kind)) {
        const target = member.type === '1' ? null : entryOf(member);
        if (target?.kind === 'file') yield* links.of(target);
        if (links.waiting() === 0) break;
      }
    } catch (error) {
      // What was said of it when it was read for its files.
      damageOf(error);
    }
    if (links.waiting() === before) yield* links.dangling();
  }
}

/** What is wrong with the archive; that the system cannot read it is another matter. */
function damageOf(error: unknown): Error {
  if (!(error instanceof Error) || 'syscall' in error) throw error;
  return error;
}

function membersOf(path: string, kind: TarKind): AsyncGenerator<TarMember> {
  if (kind === 'tar') return tarMembers(createReadStream(path, { highWaterMark: READ_BYTES }));
  return tarMembers(unpackedStream(path, kind === 'tar.gz' ? 'gzip' : 'zstd'));
}

const NO_FILES: Readonly<Record<string, string>> = {
  '2': 'it is a symbolic link',
  '3': 'it is a device',
  '4': 'it is a device',
  '6': 'it is a pipe',
  M: 'it is the rest of a file that begins in another volume',
};

const WHY_FOLDER = 'its name ends with a slash as a folder does, and yet it holds bytes';

/** null: a folder. */
function entryOf(member: TarMember): FileEntry | RefusedEntry | null {
  const { type, size, packedBytes, body } = member;
  if (type === '5') return null;
  const verdict = judgeEntryName(member.name);
  if (verdict.kind === 'folder' && size === 0) return null;
  const facts = {
    name: verdict.kind === 'folder' ? withoutSlash(member.name) : verdict.name,
    size,
    mtimeNs: entryTimeNs(new Date(member.mtime * 1000)),
  };
  const why = verdict.kind === 'file' ? NO_FILES[type] : verdict.kind === 'folder' ? WHY_FOLDER : verdict.why;
  if (why !== undefined)
    return { kind: 'refused', ...facts, refusal: { code: 'archive_entry_refused', details: { why } } };
  // Its holes are told, not packed.
  const bomb = size === packedBytes ? null : bombIn(packedBytes, size);
  if (bomb !== null)
    return { kind: 'refused', ...facts, refusal: { code: 'archive_bomb', details: { why: bomb } } };
  return { kind: 'file', ...facts, crc32: null, open: async () => body() };
}

function withoutSlash(name: PathName): PathName {
  const verdict = judgeEntryName({
    path: bytesOf(name)
      .toString('utf8')
      .replace(/[/.]+$/, ''),
  });
  return verdict.kind === 'folder' ? { path: '%2F' } : verdict.name;
}
