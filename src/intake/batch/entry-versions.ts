import { createHash } from 'node:crypto';
import type { KeptEntryMark } from '../../domain/entry-mark.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { type FileVersion, fileVersionId } from '../../domain/file-version.ts';
import { jobIdOf } from '../../domain/upload-job.ts';
import type { FileEntry } from '../archives/archive-entry.ts';
import { entrySameness } from '../archives/entry-sameness.ts';
import type { Spool } from '../archives/spool.ts';
import type { AdmissionPorts, RecordedVersion } from '../ports.ts';

/**
 * An archive that was made anew may have entries with the names, sizes and times of before and other bytes (npm, git
 * archive, reproducible builds): those are their next generation.
 */
export interface EntryVersions {
  /**
   * Whether this entry is recorded with other bytes than it has. Where that is, it is to go once more, and where it had
   * to be unpacked to see it, it lies in the spool as the next generation.
   */
  hasOtherBytes(
    version: FileVersion,
    entry: FileEntry,
    archive: string,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** What was found so far becomes durable, before anything of it is queued. */
  keep(): void;
}

export interface EntryVersionsOptions {
  readonly spool: Spool;
  /** Lets go of what is gathered: it holds room in the spool. */
  readonly flush: (signal: AbortSignal) => Promise<void>;
  /** Whether by name, size and time it needs nothing. */
  readonly isSettled: (version: FileVersion, recorded: RecordedVersion) => boolean;
}

type Ports = Pick<AdmissionPorts, 'recorded' | 'entryMarks' | 'sendAgain' | 'uploads'>;

/** Nothing found yet. */
export function createEntryVersions(options: EntryVersionsOptions, ports: Ports): EntryVersions {
  const { spool, flush, isSettled } = options;
  const { entryMarks } = ports;
  let known: { id: string; mark: KeptEntryMark }[] = [];
  let again: { id: string; gen: number }[] = [];

  async function differs(id: string, gen: number, entry: FileEntry, signal: AbortSignal): Promise<boolean> {
    const sha256 = await ports.uploads.sha256Of(id);
    if (sha256 === null) return false;
    const hash = createHash('sha256');
    const jobId = jobIdOf(id, gen + 1);
    if (entry.size > spool.maxBytes) {
      try {
        for await (const chunk of await entry.open()) hash.update(chunk);
      } catch {
        signal.throwIfAborted();
        return true;
      }
      return hash.digest('hex') !== sha256;
    }
    if (!spool.fits(entry.size)) await flush(signal);
    // What lies there of a run before was found to differ then.
    if (!(await spool.put(jobId, entry, signal, (chunk) => hash.update(chunk)))) return true;
    const isOther = hash.digest('hex') !== sha256;
    if (!isOther) await spool.release([jobId]);
    return isOther;
  }

  return {
    async hasOtherBytes(version, entry, archive, signal) {
      const id = fileVersionId(version);
      const recorded = ports.recorded(id);
      if (entryMarks === undefined || recorded === null || recorded.again || !isSettled(version, recorded))
        return false;
      const { gen } = recorded;
      const mark = { archive, crc32: entry.crc32 };
      const sameness = entrySameness(recorded, entryMarks.find(id), mark);
      if (sameness === 'same') return false;
      const isOther =
        sameness === 'other' ||
        (sameness === 'unknown' && (await differs(id, gen, entry, signal).catch(isBroken)));
      if (isOther) again.push({ id, gen });
      else known.push({ id, mark: { ...mark, gen } });
      return isOther;
    },

    keep() {
      const [marks, versions] = [known, again];
      [known, again] = [[], []];
      entryMarks?.know(marks);
      if (versions.length > 0) ports.sendAgain(versions);
    },
  };
}

/** It cannot be read whole, so it is not what was uploaded: its next receipt says so. */
function isBroken(error: unknown): true {
  if (error instanceof SlipwayError && error.code === 'archive_entry_broken') return true;
  throw error;
}
