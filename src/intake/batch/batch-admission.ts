import { ERRORS, errorMessage } from '../../domain/errors.ts';
import { type FileVersion, fileVersionId } from '../../domain/file-version.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { atFirstSight, type SeenTimes } from '../../domain/sight.ts';
import { type UnsentReason, unsentOutcome } from '../../domain/unsent-outcome.ts';
import { jobIdOf } from '../../domain/upload-job.ts';
import { type Admission, createAdmission } from '../admit/admission.ts';
import { type Candidate, type EntryCandidate, type FileCandidate, isUpload } from '../admit/candidate.ts';
import { type Decision, decide, type Rules } from '../admit/decision.ts';
import { createReuse, type Reuse, type ReuseEnds } from '../admit/reuse.ts';
import type { Spool } from '../archives/spool.ts';
import type { AdmissionPorts, RecordedVersion } from '../ports.ts';
import type { Instant } from '../scan/settle.ts';
import { createFileStats } from '../scan/stat-files.ts';
import type { BatchSink } from './batch-sink.ts';
import { createDiskVersions } from './disk-versions.ts';
import { createEntryVersions } from './entry-versions.ts';
import type { BatchMember } from './ports.ts';
import { takeEntry } from './take-entry.ts';

export interface BatchPorts extends AdmissionPorts {
  /** These belong to the batch; durable when it returns. */
  members(found: readonly BatchMember[]): void;
}

export interface BatchAdmissionOptions {
  readonly source: string;
  readonly destination: string;
  readonly batch: string;
  /** Absolute path of the source's root. */
  readonly root: string;
  /** Whether the folder of the source is there: out of sight is not gone. */
  readonly rootPresent: () => Promise<boolean>;
  /** `queue.maxPending`. */
  readonly maxPending: number;
  /** What decides, besides the ledger, whether a file is sent. */
  readonly rules: Rules;
  /** A file became another version before it was sent. */
  readonly changed: (name: PathName) => void;
  readonly spool: Spool;
  readonly log: Log;
  readonly now: () => Instant;
  readonly random: () => number;
}

/**
 * What is found for a batch becomes its members, and goes into the one pipeline: of those that have no receipt yet, jobs
 * are made, unless an earlier upload stands for them, as it does for what a watcher finds.
 */
export interface BatchAdmission extends BatchSink, Pick<Admission, 'inHand'> {
  /** Until it returns, some of what was taken may be known to nobody. */
  flush(signal: AbortSignal): Promise<void>;
  /**
   * Resolves when everything taken so far is in the queue, recorded, or no file of the batch any more; rejects when a
   * receipt cannot be kept.
   */
  passed(signal: AbortSignal): Promise<void>;
}

/** What is found is handed on so many at a time. */
const MAX_FOUND = 100;
/** Entries are gathered for so long: a worker need not wait for a hundred large ones. */
const MAX_GATHER_MS = 200;

/** Nothing taken yet. */
export function createBatchAdmission(options: BatchAdmissionOptions, ports: BatchPorts): BatchAdmission {
  const { spool, now } = options;
  const members = openMembers(options, ports);
  const { admission, assertRecorded } = pipelineOf(options, ports);
  const isSettled = (version: FileVersion, recorded: RecordedVersion): boolean =>
    rulingOn(version, recorded, options.rules).kind === 'nothing';
  const onDisk = createDiskVersions(options.root, isSettled, ports);
  const versions = createEntryVersions({ spool, flush, isSettled }, ports);

  async function flushIfDue(signal: AbortSignal): Promise<void> {
    if (members.isDue()) await flush(signal);
  }

  /** Members first, durably: so nothing of the batch is in the queue that the batch does not know. */
  async function flush(signal: AbortSignal): Promise<void> {
    versions.keep();
    onDisk.keep();
    members.flush();
    await admission.flush('backlog', signal);
  }

  const refuse = (need: Candidate, reason: UnsentReason): void => {
    const { version, sight, ruling } = need;
    const how = { gen: ruling.gen, batch: options.batch, sight, nowMs: now().wallMs };
    admission.take(need, unsentOutcome(version, reason, how));
  };

  return {
    flush,
    inHand: admission.inHand,
    async passed(signal) {
      await admission.passed(signal);
      assertRecorded();
    },

    async files(files, signal) {
      for (const file of files) {
        const { name, size, mtimeNs, sight } = file;
        const again = await onDisk.hasOtherBytes(members.versionOf(file), file, signal);
        const known = members.noted({ name, size, mtimeNs }, sight, again);
        if (known === null) continue;
        takeFile({ ...known, file, unlimited: false }, ports, admission);
      }
      await flushIfDue(signal);
    },

    async entry(name, entry, { archive, signal }) {
      const { size, mtimeNs, crc32 } = entry;
      const file = { name, size, mtimeNs };
      const again = await versions.hasOtherBytes(members.versionOf(file), entry, archive, signal);
      const known = members.noted(file, atFirstSight(now().wallMs), again);
      if (known !== null) ports.entryMarks?.remember(known.jobId, { archive, crc32 });
      if (known !== null && !admission.has(known.jobId))
        await takeEntry({ ...known, sha256: null }, entry, {
          spool,
          ports,
          admission,
          flush,
          refuse,
          signal,
        });
      await flushIfDue(signal);
    },

    async refused(name, { size, mtimeNs }, { code, details }, { archive, signal }) {
      const known = members.noted({ name, size, mtimeNs }, atFirstSight(now().wallMs));
      if (known !== null) {
        const need: EntryCandidate = { ...known, sha256: null };
        const message = errorMessage(code, details);
        ports.entryMarks?.remember(need.jobId, { archive, crc32: null });
        if (!isUpload(need)) admission.take(need);
        else refuse(need, { status: 'failed', code, kind: ERRORS[code].kind, message });
      }
      await flushIfDue(signal);
    },
  };
}

interface NamedFile {
  readonly name: PathName;
  readonly size: number;
  readonly mtimeNs: string;
}

/** The members of the batch that are not written down yet. */
function openMembers(options: BatchAdmissionOptions, ports: BatchPorts) {
  const { source, destination, now } = options;
  let members = new Map<string, BatchMember>();
  let gatheringSinceMs = 0;
  const versionOf = ({ name, size, mtimeNs }: NamedFile): FileVersion => ({
    ...{ source, destination, ...name, size, mtimeNs },
  });
  return {
    versionOf,
    /**
     * Into the batch; null when it has its receipt.
     * @param again whether it is to go once more, whatever is recorded of it
     */
    noted(file: NamedFile, sight: SeenTimes, again = false) {
      const version = versionOf(file);
      const id = fileVersionId(version);
      const known = ports.recorded(id);
      const recorded = known !== null && again ? { ...known, again } : known;
      const ruling = rulingOn(version, recorded, options.rules);
      const gen = ruling.kind === 'nothing' ? (recorded?.gen ?? 0) : ruling.gen;
      if (members.size === 0) gatheringSinceMs = now().monotonicMs;
      members.set(id, { id, gen });
      if (ruling.kind === 'nothing') return null;
      return { jobId: jobIdOf(id, gen), id, version, sight, arrival: 'backlog', ruling } as const;
    },
    isDue: () =>
      members.size >= MAX_FOUND || (members.size > 0 && now().monotonicMs - gatheringSinceMs > MAX_GATHER_MS),
    flush() {
      ports.members([...members.values()]);
      members = new Map();
    },
  };
}

function rulingOn({ path, size }: FileVersion, recorded: RecordedVersion | null, rules: Rules): Decision {
  // Whoever names a file means it, whenever it got there.
  return decide({ name: { path }, size, ctimeMs: Number.POSITIVE_INFINITY }, recorded, rules);
}

function pipelineOf(options: BatchAdmissionOptions, ports: BatchPorts) {
  const { source, batch, maxPending, spool, rules, log, now, random } = options;
  /** Why a receipt could not be kept; null: all could. */
  let lost: unknown = null;
  const admission = createAdmission(
    {
      ...{ source, batch, maxPending, log, random },
      nowMs: () => now().monotonicMs,
      wallMs: () => now().wallMs,
      openReuse: (ends) => reuseOf(options, ports, ends),
      stillNeeded(need) {
        const ruling = rulingOn(need.version, ports.recorded(need.id), rules);
        const isSame = ruling.kind === 'upload' && ruling.gen === need.ruling.gen;
        return isSame && !ports.isPending(need.jobId) ? need : null;
      },
      // Seen right before; whatever changes still the worker sees, and `changed` brings it back.
      stillThere: async (needs) => needs,
      // Left out where they are found.
      withoutOwn: async (needs) => needs,
      queued() {},
      sentAfterReading() {},
      release: spool.release,
      unrecorded(error) {
        lost = error;
      },
    },
    ports,
  );
  return {
    admission,
    assertRecorded() {
      if (lost !== null) throw lost;
    },
  };
}

function reuseOf(options: BatchAdmissionOptions, ports: BatchPorts, ends: ReuseEnds): Reuse {
  const { root, rootPresent, changed, now } = options;
  // Few are looked at here: the thread pool does it, whatever the disk.
  const fileStats = createFileStats(
    root,
    () => false,
    () => now().monotonicMs,
  );
  const { contents = null, uploads } = ports;
  return createReuse(
    {
      ...{ root, contents, fileStats, uploads, rootPresent },
      take: ({ name }) => changed(name),
      wallMs: () => now().wallMs,
    },
    ends,
  );
}

function takeFile(need: FileCandidate, ports: BatchPorts, admission: Admission): void {
  if (!isUpload(need) || !ports.isPending(need.jobId)) admission.take(need);
  // After a restart nobody else knows which file on disk it is.
  else ports.uploads.remember(need.jobId, need.file);
}
