import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { DiscoveryDeps } from '../batch/batch-sink.ts';
import type { ArchiveEntry } from './archive-entry.ts';
import { archiveKind } from './archive-kind.ts';
import { pathInArchive } from './entry-name.ts';
import { tarEntries } from './tar-entries.ts';
import { zipEntries } from './zip-entries.ts';

/**
 * The files of one archive, entry by entry. An archive that cannot be read to its end has a receipt that says so, under
 * its own name; what was read of it until then stays.
 */
export async function discoverArchive(path: string, means: DiscoveryDeps): Promise<void> {
  const { sink, tally, signal } = means;
  const archive = { path: basename(path) };
  const options = await archiveFacts(path, archive);
  const entries = entriesOf(path);
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
        return await sink.refused(archive, options, refusal, signal);
      }
      if (next.done === true) return;
      await takeEntry(archive, next.value, means);
    }
  } finally {
    await entries.return(undefined).catch(() => undefined);
  }
}

async function takeEntry(archive: PathName, entry: ArchiveEntry, means: DiscoveryDeps): Promise<void> {
  const { filter, sink, tally, signal } = means;
  const name = pathInArchive(archive, entry.name);
  if (entry.kind === 'refused') {
    tally.refused += 1;
    return await sink.refused(name, entry, entry.refusal, signal);
  }
  const reason = filter.path(entry.name.path, 'file');
  if (reason !== null) {
    tally.ignored[reason] = (tally.ignored[reason] ?? 0) + 1;
    return;
  }
  tally.files += 1;
  tally.bytes += entry.size;
  await sink.entry(name, entry, signal);
}

function entriesOf(path: string): AsyncGenerator<ArchiveEntry> {
  const kind = archiveKind(path);
  return kind === 'zip' ? zipEntries(path) : tarEntries(path, kind === 'tar.gz');
}

async function archiveFacts(
  path: string,
  name: PathName,
): Promise<{ name: PathName; size: number; mtimeNs: string }> {
  try {
    const stats = await stat(path, { bigint: true });
    return { name, size: Number(stats.size), mtimeNs: String(stats.mtimeNs) };
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
