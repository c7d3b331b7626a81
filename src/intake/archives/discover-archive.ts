import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { BatchInput } from '../../domain/batch-source.ts';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { DiscoveryDeps, FoundIn } from '../batch/batch-sink.ts';
import { networkFileSystemOf } from '../watch/network-fs.ts';
import type { ArchiveEntry, EntryFacts } from './archive-entry.ts';
import { type FileFormat, formatOf } from './archive-kind.ts';
import { pathInArchive } from './entry-name.ts';
import { tarEntries } from './tar-entries.ts';
import { zipEntries } from './zip-entries.ts';

type ArchiveInput = Extract<BatchInput, { kind: 'archive' }>;

/**
 * The files of one archive, entry by entry. An archive that cannot be read to its end has a receipt that says so, under
 * its own name; what was read of it until then stays.
 */
export async function discoverArchive(input: ArchiveInput, means: DiscoveryDeps): Promise<void> {
  const { path } = input;
  const { sink, tally, signal } = means;
  const archive = { path: basename(path) };
  const facts = await archiveFacts(path, archive);
  const entries = await entriesOf(input, means);
  const found = { archive: facts.identity, signal };
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await entries.next().catch((error: unknown) => {
        // The disk or the server it lies on, not the archive: the batch stays open.
        if (isOfTheSystem(error)) throw unreadable(path, error);
        return { broken: reasonOf(error) };
      });
      if ('broken' in next) {
        tally.refused += 1;
        const refusal = { code: 'archive_broken', details: { reason: next.broken } } as const;
        return await sink.refused(archive, facts, refusal, found);
      }
      if (next.done === true) return;
      await takeEntry(archive, next.value, found, means);
    }
  } finally {
    await entries.return(undefined).catch(() => undefined);
  }
}

async function takeEntry(
  archive: PathName,
  entry: ArchiveEntry,
  found: FoundIn,
  means: DiscoveryDeps,
): Promise<void> {
  const { filter, sink, tally, leftOut } = means;
  const name = pathInArchive(archive, entry.name);
  if (entry.kind === 'left_out') return leftOut.add(name, entry.reason, true);
  if (entry.kind === 'refused') {
    tally.refused += 1;
    return await sink.refused(name, entry, entry.refusal, found);
  }
  const reason = filter.path(entry.name.path, 'file');
  if (reason !== null) return leftOut.add(name, reason, false);
  tally.files += 1;
  tally.bytes += entry.size;
  await sink.entry(name, entry, found);
}

/** @throws SlipwayError `archive_foreign`, `archive_unreadable` */
async function entriesOf(
  { path, names }: ArchiveInput,
  { log, source }: DiscoveryDeps,
): Promise<AsyncGenerator<ArchiveEntry>> {
  const format = await formatOf(path).catch((error: unknown) => {
    throw isOfTheSystem(error) ? unreadable(path, error) : error;
  });
  if (format.kind === 'foreign') throw foreignArchive(path, format);
  // What it is not becomes clear when it is read.
  const kind = format.kind !== 'unknown' ? format.kind : path.toLowerCase().endsWith('.zip') ? 'zip' : 'tar';
  if (kind !== 'zip') return tarEntries(path, kind);
  return zipEntries(path, {
    names: names ?? null,
    guessed(guess) {
      log[guess.sure ? 'info' : 'warn'](
        { source, archive: path, ...guess },
        'names in this zip do not say how they are encoded: read as guessed; where that is wrong, give --zip-names',
      );
    },
  });
}

/** One that has to be unpacked by another tool first. */
export function foreignArchive(
  path: string,
  { format, command }: Extract<FileFormat, { kind: 'foreign' }>,
): SlipwayError {
  const name = `'${path.replaceAll("'", "'\\''")}'`;
  return new SlipwayError('archive_foreign', { path, format, command: command.replace('FILE', name) });
}

interface ArchiveFacts extends EntryFacts {
  readonly identity: string;
}

async function archiveFacts(path: string, name: PathName): Promise<ArchiveFacts> {
  try {
    const { size, mtimeNs, ino } = await stat(path, { bigint: true });
    // Over a network a file may have another number each time it is mounted.
    const isLocal = (await networkFileSystemOf(dirname(path))) === null;
    const identity = isLocal ? `${size} ${mtimeNs} ${ino}` : `${size} ${mtimeNs}`;
    return { name, size: Number(size), mtimeNs: String(mtimeNs), identity };
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): SlipwayError {
  return new SlipwayError('archive_unreadable', { path, reason: reasonOf(cause) }, { cause });
}

/** Only errors of system calls name one. */
function isOfTheSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
