import type { DiskMark } from '../../domain/disk-mark.ts';
import { type FileVersion, fileVersionId } from '../../domain/file-version.ts';
import { mayBeReadable } from '../admit/decision.ts';
import { compareOnDisk, mayDiffer } from '../admit/disk-sameness.ts';
import type { AdmissionPorts, RecordedVersion } from '../ports.ts';
import type { SeenFile } from '../scan/seen-file.ts';
import { networkFileSystemOf } from '../watch/network-fs.ts';

/** Files of a batch that are recorded by path, size and time and may hold other bytes: the rule of the watcher, in turn. */
export interface DiskVersions {
  /** Whether this file is recorded with other bytes than it has: then it is to go once more. */
  hasOtherBytes(version: FileVersion, file: SeenFile, signal: AbortSignal): Promise<boolean>;
  /** What was found so far becomes durable, before anything of it is queued. */
  keep(): void;
}

/**
 * Nothing found yet.
 * @param isSettled whether by path, size and time it needs nothing
 */
export function createDiskVersions(
  root: string,
  isSettled: (version: FileVersion, recorded: RecordedVersion) => boolean,
  ports: Pick<AdmissionPorts, 'recorded' | 'uploads' | 'markDisk' | 'sendAgain'>,
): DiskVersions {
  let isTrusted: Promise<boolean> | null = null;
  let known: { id: string; gen: number; disk: DiskMark }[] = [];
  let again: { id: string; gen: number }[] = [];

  return {
    async hasOtherBytes(version, file, signal) {
      const id = fileVersionId(version);
      const recorded = ports.recorded(id);
      if (recorded === null || !isSettled(version, recorded)) return false;
      if (mayBeReadable(recorded, file)) {
        again.push({ id, gen: recorded.gen });
        return true;
      }
      if (!mayDiffer(file, recorded)) return false;
      isTrusted ??= networkFileSystemOf(root).then((network) => network === null);
      if (!(await isTrusted)) return false;
      const { gen, disk } = recorded;
      const verdict = disk === undefined ? 'same' : await compareOnDisk(root, { id, file }, ports, signal);
      // One that could not be read goes as well: nobody has seen that it is what was sent.
      if (verdict === 'same') known.push({ id, gen, disk: { ino: file.ino, ctimeMs: file.ctimeMs } });
      else again.push({ id, gen });
      return verdict !== 'same';
    },

    keep() {
      const [marks, versions] = [known, again];
      [known, again] = [[], []];
      if (marks.length > 0) ports.markDisk(marks);
      if (versions.length > 0) ports.sendAgain(versions);
    },
  };
}
