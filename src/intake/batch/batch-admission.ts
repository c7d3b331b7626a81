import { createHash } from 'node:crypto';
import { ERRORS, errorMessage, SlipwayError } from '../../domain/errors.ts';
import { type FileVersion, fileVersionId } from '../../domain/file-version.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { atFirstSight, type SeenTimes } from '../../domain/sight.ts';
import { type UnsentReason, unsentOutcome } from '../../domain/unsent-outcome.ts';
import { jobIdOf } from '../../domain/upload-job.ts';
import { formatBytes } from '../../platform/units.ts';
import { type Decision, decide, type Rules } from '../admit/decision.ts';
import type { UploadCandidate } from '../admit/in-flight.ts';
import { refusedOutcome } from '../admit/jobless-outcome.ts';
import type { FileEntry } from '../archives/archive-entry.ts';
import type { Spool } from '../archives/spool.ts';
import type { AdmissionPorts, RecordedVersion } from '../ports.ts';
import type { SettledFile } from '../scan/seen-file.ts';
import { type BatchDispatch, type BatchDispatchOptions, createBatchDispatch } from './batch-dispatch.ts';
import type { BatchSink } from './batch-sink.ts';
import { createEntryVersions } from './entry-versions.ts';

export interface BatchPorts extends AdmissionPorts {
  /** These belong to the batch; durable when it returns. */
  members(found: readonly { readonly id: string; readonly gen: number }[]): void;
}

export interface BatchAdmissionOptions extends Omit<BatchDispatchOptions, 'isNeeded' | 'release'> {
  readonly destination: string;
  /** What decides, besides the ledger, whether a file is sent. */
  readonly rules: Rules;
  readonly spool: Spool;
}

/**
 * What is found for a batch becomes its members, and of those that have no receipt yet, jobs: unless an earlier upload
 * stands for them, as it does for what a watcher finds.
 */
export interface BatchAdmission extends BatchSink, Pick<BatchDispatch, 'passed' | 'inHand'> {
  /** Until it returns, some of what was taken may be known to nobody. */
  flush(signal: AbortSignal): Promise<void>;
}

/** What is found is handed on so many at a time. */
const MAX_FOUND = 100;
/** Entries are gathered for so long: a worker need not wait for a hundred large ones. */
const MAX_GATHER_MS = 200;

type Upload = Pick<UploadCandidate, 'jobId' | 'id' | 'version' | 'sight' | 'ruling'>;

export function createBatchAdmission(options: BatchAdmissionOptions, ports: BatchPorts): BatchAdmission {
  const { source, destination, batch, spool, now } = options;
  let members = new Map<string, { id: string; gen: number }>();
  let gatheringSinceMs = 0;
  const entries = createEntryVersions(
    { spool, flush, isSettled: (version, recorded) => rulingOn(version, recorded).kind === 'nothing' },
    ports,
  );
  const dispatch = createBatchDispatch(
    {
      ...options,
      release: spool.release,
      isNeeded({ id, job }) {
        const ruling = rulingOn({ ...job, destination }, ports.recorded(id));
        return ruling.kind === 'upload' && ruling.gen === job.gen;
      },
    },
    ports,
  );

  /** Into the batch; null when it has its receipt, or gets one here. */
  function noted(version: FileVersion, sight: SeenTimes, again = false): Upload | null {
    const id = fileVersionId(version);
    const known = ports.recorded(id);
    const recorded = known !== null && again ? { ...known, again } : known;
    const ruling = rulingOn(version, recorded);
    const gen = ruling.kind === 'nothing' ? (recorded?.gen ?? 0) : ruling.gen;
    if (members.size === 0) gatheringSinceMs = now().monotonicMs;
    members.set(id, { id, gen });
    if (ruling.kind === 'nothing') return null;
    const jobId = jobIdOf(id, gen);
    if (ruling.kind === 'upload') return { jobId, id, version, sight, ruling };
    const times = { sight, nowMs: now().wallMs };
    dispatch.settle({ jobId, id, version, sight, ruling }, refusedOutcome(version, ruling, times));
    return null;
  }

  function rulingOn({ path, size }: FileVersion, recorded: RecordedVersion | null): Decision {
    // Whoever names a file means it, whenever it got there.
    return decide({ name: { path }, size, ctimeMs: Number.POSITIVE_INFINITY }, recorded, options.rules);
  }

  function refuse(need: Upload, reason: UnsentReason): void {
    const { version, sight, ruling } = need;
    const facts = { gen: ruling.gen, batch, sight, nowMs: now().wallMs };
    dispatch.settle(need, unsentOutcome(version, reason, facts));
  }

  async function flushIfDue(signal: AbortSignal): Promise<void> {
    const waitedMs = now().monotonicMs - gatheringSinceMs;
    if (members.size >= MAX_FOUND || (members.size > 0 && waitedMs > MAX_GATHER_MS)) await flush(signal);
  }

  /** Members first, durably: so nothing of the batch is in the queue that the batch does not know. */
  async function flush(signal: AbortSignal): Promise<void> {
    entries.keep();
    ports.members([...members.values()]);
    members = new Map();
    await dispatch.flush(signal);
  }

  return {
    flush,
    passed: dispatch.passed,
    inHand: dispatch.inHand,

    async files(files: readonly SettledFile[], signal) {
      for (const file of files) {
        const { name, size, mtimeNs, sight } = file;
        const need = noted({ source, destination, ...name, size, mtimeNs }, sight);
        if (need === null) continue;
        ports.uploads.remember(need.jobId, file);
        if (!ports.isPending(need.jobId))
          dispatch.add({ ...need, file, arrival: 'backlog', unlimited: false });
      }
      await flushIfDue(signal);
    },

    async entry(name: PathName, entry, { archive, signal }) {
      const { size, mtimeNs, crc32 } = entry;
      const version = { source, destination, ...name, size, mtimeNs };
      const again = await entries.hasOtherBytes(version, entry, archive, signal);
      const need = noted(version, atFirstSight(now().wallMs), again);
      if (need !== null) ports.entryMarks?.remember(need.jobId, { archive, crc32 });
      const isUnderWay = ({ jobId }: Upload): boolean => ports.isPending(jobId) && spool.has(jobId, size);
      if (need !== null && !dispatch.has(need.jobId) && !isUnderWay(need)) {
        if (size > spool.maxBytes) refuse(need, tooLarge(size, spool.maxBytes));
        else await unpack(need, entry, { spool, dispatch, ports, flush, refuse }, signal);
      }
      await flushIfDue(signal);
    },

    async refused(name, { size, mtimeNs }, { code, details }, { archive, signal }) {
      const need = noted({ source, destination, ...name, size, mtimeNs }, atFirstSight(now().wallMs));
      const message = errorMessage(code, details);
      if (need !== null) ports.entryMarks?.remember(need.jobId, { archive, crc32: null });
      if (need !== null) refuse(need, { status: 'failed', code, kind: ERRORS[code].kind, message });
      await flushIfDue(signal);
    },
  };
}

/** Into the spool, and on its way; one that cannot be unpacked gets its receipt. */
async function unpack(
  need: Upload,
  entry: FileEntry,
  deps: Pick<BatchAdmission, 'flush'> & {
    readonly spool: Spool;
    readonly dispatch: BatchDispatch;
    readonly ports: BatchPorts;
    readonly refuse: (need: Upload, reason: UnsentReason) => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const { spool, dispatch, ports, flush, refuse } = deps;
  // What is gathered holds room in the spool that only a recorded upload gives back.
  if (!spool.fits(entry.size)) await flush(signal);
  const hash = ports.contents === undefined ? null : createHash('sha256');
  try {
    const unpacked = await spool.put(need.jobId, entry, signal, (chunk) => hash?.update(chunk));
    // One whose job waits already is sent: it gets no receipt beside it.
    const isNew = unpacked && !ports.isPending(need.jobId);
    const sha256 = isNew ? (hash?.digest('hex') ?? null) : null;
    dispatch.add({ ...need, sha256 });
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== 'archive_entry_broken') throw error;
    const { code, kind, message } = error;
    refuse(need, { status: 'failed', code, kind, message });
  }
}

function tooLarge(size: number, maxBytes: number): UnsentReason {
  const message = `${formatBytes(size)} does not fit into the spool (${formatBytes(maxBytes)}): raise spool.maxBytes, or unpack the archive and ingest the folder`;
  return { status: 'skipped', code: 'too_large', kind: 'skipped', message };
}
