import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DiskMark } from '../../domain/disk-mark.ts';
import { reasonOf } from '../../domain/errors.ts';
import type { Arrival } from '../../domain/lane.ts';
import type { Log } from '../../domain/log.ts';
import { createCondition } from '../../platform/waiting/condition.ts';
import type { AdmissionPorts, RecordedVersion } from '../ports.ts';
import { hashFile } from '../scan/hash-file.ts';
import type { SeenFile } from '../scan/seen-file.ts';

export interface DiskSamenessOptions {
  /** Absolute path of the source's root. */
  readonly root: string;
  /** False on network and FUSE file systems: inodes and times of change are not told truly there. */
  readonly isTrusted: () => boolean;
  /** Takes a file up anew: it holds other bytes than are recorded. */
  readonly take: (file: SeenFile, arrival: Arrival) => void;
  readonly log: Log;
}

/**
 * Files whose version is recorded but that may be others: their inode or time of change is another than it was. Each is
 * read, one at a time beside everything else, before it counts as known. `chmod -R` costs reads and no uploads.
 */
export interface DiskSameness {
  /** A file that lies there with a path, size and time that are recorded. Costs a comparison of numbers. */
  look(file: SeenFile, id: string, recorded: RecordedVersion): void;
  /** Resolves when none waits to be read; rejects when the signal fires. */
  idle(signal: AbortSignal): Promise<void>;
}

type Ports = Pick<AdmissionPorts, 'recorded' | 'uploads' | 'markDisk' | 'sendAgain'>;

interface Suspect {
  readonly id: string;
  readonly file: SeenFile;
  readonly gen: number;
  /** Nothing was kept of it (an older Slipway): what lies there now counts as known. */
  readonly unmarked: boolean;
}

/** The next scan brings those again that find no place. */
const MAX_WAITING = 20_000;
const MARKS_AT_ONCE = 500;

/** @param signal ends the reading */
export function createDiskSameness(
  options: DiskSamenessOptions,
  ports: Ports,
  signal: AbortSignal,
): DiskSameness {
  const { root, isTrusted, take, log } = options;
  const waiting = new Map<string, Suspect>();
  const emptied = createCondition();
  let reading = false;

  async function readAll(): Promise<void> {
    let marks: { id: string; gen: number; disk: DiskMark }[] = [];
    const keep = (): void => {
      if (marks.length > 0) ports.markDisk(marks);
      marks = [];
    };
    for (const suspect of waiting.values()) {
      if (signal.aborted) return;
      const { id, file, gen, unmarked } = suspect;
      const verdict = unmarked ? 'same' : await compareOnDisk(root, suspect, ports, signal);
      waiting.delete(id);
      if (verdict === 'same') marks.push({ id, gen, disk: { ino: file.ino, ctimeMs: file.ctimeMs } });
      else if (verdict === 'other') {
        log.info(
          { path: file.name.path },
          'it was replaced by other bytes of the same size and time: sent again',
        );
        ports.sendAgain([{ id, gen }]);
        take(file, 'backlog');
      }
      if (marks.length < MARKS_AT_ONCE) continue;
      keep();
      await nextTurn();
    }
    keep();
  }

  function start(): void {
    if (reading) return;
    reading = true;
    void readAll()
      .catch((error: unknown) => {
        if (!signal.aborted)
          log.warn({ reason: reasonOf(error) }, 'files could not be compared with what is recorded');
        waiting.clear();
      })
      .finally(() => {
        reading = false;
        if (waiting.size > 0 && !signal.aborted) start();
        emptied.changed();
      });
  }

  return {
    look(file, id, recorded) {
      if (!mayDiffer(file, recorded) || !isTrusted()) return;
      if (waiting.has(id) || waiting.size >= MAX_WAITING) return;
      waiting.set(id, { id, file, gen: recorded.gen, unmarked: recorded.disk === undefined });
      start();
    },
    idle: (until) => emptied.until(() => !reading, until),
  };
}

/** Whether a recorded upload has to be looked at again, by what was kept of its file. */
export function mayDiffer({ ino, ctimeMs }: SeenFile, { status, again, disk }: RecordedVersion): boolean {
  if (status !== 'uploaded' || again) return false;
  return disk === undefined || disk.ino !== ino || disk.ctimeMs !== ctimeMs;
}

/** What it holds now beside what its receipt is of; null: it is not to be seen as it was. */
export async function compareOnDisk(
  root: string,
  { id, file }: Pick<Suspect, 'id' | 'file'>,
  { uploads }: Pick<Ports, 'uploads'>,
  signal: AbortSignal,
): Promise<'same' | 'other' | null> {
  const recorded = await uploads.sha256Of(id);
  if (recorded === null) return 'same';
  const read = await hashFile(root, file, signal);
  if (read.kind !== 'hashed') return null;
  return read.sha256 === recorded ? 'same' : 'other';
}
