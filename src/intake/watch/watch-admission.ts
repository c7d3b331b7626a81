import { reasonOf } from '../../domain/errors.ts';
import { type FileVersion, fileVersionId } from '../../domain/file-version.ts';
import type { Arrival } from '../../domain/lane.ts';
import type { Log } from '../../domain/log.ts';
import type { SeenTimes } from '../../domain/sight.ts';
import { jobIdOf } from '../../domain/upload-job.ts';
import { type Admission, createAdmission } from '../admit/admission.ts';
import { type Candidate, type FileCandidate, isOnDisk, isUpload } from '../admit/candidate.ts';
import { decide, isLimitSkip, type Rules } from '../admit/decision.ts';
import type { Reuse, ReuseEnds } from '../admit/reuse.ts';
import type { AdmissionPorts, RecordedVersion } from '../ports.ts';
import type { SeenFile } from '../scan/seen-file.ts';

export interface WatchAdmissionOptions {
  readonly source: string;
  readonly destination: string;
  /** `queue.maxPending`. */
  readonly maxPending: number;
  /** What decides now whether a file is sent. */
  readonly rules: Rules;
  /** Looks for uploads that may stand for files; null: everything is sent. */
  readonly openReuse: ((ends: ReuseEnds) => Reuse) | null;
  /** Keeps those that are on disk exactly as seen; the others are for the file checker. */
  readonly unchanged: (files: readonly SeenFile[]) => Promise<readonly SeenFile[]>;
  /** Told of what is recorded with its path, size and time, and lies there. */
  readonly known: (file: SeenFile, id: string, recorded: RecordedVersion) => void;
  /** Leaves out what only its content shows to be Slipway's own. */
  readonly withoutOwn: (files: readonly SeenFile[]) => Promise<readonly SeenFile[]>;
  readonly log: Log;
  /** Monotonic. */
  readonly nowMs: () => number;
  /** Since the epoch. */
  readonly wallMs: () => number;
  readonly random: () => number;
}

/** What a watcher finds, into the one pipeline. */
export interface WatchAdmission extends Pick<Admission, 'waits' | 'flush' | 'passed' | 'inHand'> {
  /**
   * Takes a settled file, seen on disk just now. One that is recorded or pending costs nothing more.
   * @returns whether it needs a receipt that it has not got
   */
  offer(file: SeenFile, sight: SeenTimes, arrival: Arrival): boolean;
  /** Flushes all, for whoever a flush may itself wait for. */
  flushSoon(signal: AbortSignal): void;
  /** Jobs queued since the start. */
  admitted(): number;
}

/** Nothing offered yet. */
export function createWatchAdmission(options: WatchAdmissionOptions, ports: AdmissionPorts): WatchAdmission {
  const { source, destination, rules, log } = options;
  /** Sent because limits had changed. A worker that knows other limits skips it again, and that is the end of it. */
  const rejudged = new Set<string>();
  let admitted = 0;

  /** What this file still needs; null when it is recorded or pending. */
  function needOf(known: Pick<FileCandidate, 'id' | 'version' | 'file' | 'sight' | 'arrival'>) {
    const recorded = ports.recorded(known.id);
    const ruling = decide(known.file, recorded, rules);
    if (ruling.kind === 'nothing') {
      if (recorded !== null) options.known(known.file, known.id, recorded);
      return null;
    }
    const unlimited = isLimitSkip(recorded) && recorded?.again === false;
    if (unlimited && rejudged.has(known.id)) return null;
    const jobId = jobIdOf(known.id, ruling.gen);
    if (!ports.isPending(jobId)) return { ...known, jobId, ruling, unlimited };
    // After a restart nobody else knows which file on disk it is.
    ports.uploads.remember(jobId, known.file);
    return null;
  }

  const admission = createAdmission(
    {
      ...options,
      batch: null,
      stillNeeded(before) {
        const need = isOnDisk(before) ? needOf(before) : null;
        return need !== null && isUpload(need) ? need : null;
      },
      stillThere: (needs) => whoseFiles(needs, options.unchanged),
      withoutOwn: (needs) => whoseFiles(needs, options.withoutOwn),
      queued(needs) {
        for (const need of needs) if (isOnDisk(need) && need.unlimited) rejudged.add(need.id);
        admitted += needs.length;
      },
      release: async () => {},
      // What was found changed on the way is offered anew, outside the turns of the loop.
      sentAfterReading: flushSoon,
      unrecorded() {},
    },
    ports,
  );

  function flushSoon(signal: AbortSignal): void {
    for (const arrival of ['live', 'backlog'] as const)
      admission.flush(arrival, signal).catch((error: unknown) => {
        if (signal.aborted) return;
        const reason = reasonOf(error);
        log.error({ source, reason }, 'files were not queued; the next comparison finds them');
      });
  }

  return {
    ...admission,
    flushSoon,
    admitted: () => admitted,
    offer(file, sight, arrival) {
      const { name, size, mtimeNs } = file;
      const version: FileVersion = { source, destination, ...name, size, mtimeNs };
      const need = needOf({ id: fileVersionId(version), version, file, sight, arrival });
      if (need === null) return false;
      admission.take(need);
      return true;
    },
  };
}

/** Those of which a look at their files keeps the file. */
async function whoseFiles<One extends Candidate>(
  needs: readonly One[],
  kept: (files: readonly SeenFile[]) => Promise<readonly SeenFile[]>,
): Promise<readonly One[]> {
  const files = needs.flatMap((need) => (isOnDisk(need) ? [need.file] : []));
  const left = new Set(await kept(files));
  return left.size === needs.length ? needs : needs.filter((need) => isOnDisk(need) && left.has(need.file));
}
