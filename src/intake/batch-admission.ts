import { createHash } from 'node:crypto';
import { ERRORS, errorMessage, SlipwayError } from '../domain/errors.ts';
import { type FileVersion, fileVersionId } from '../domain/file-version.ts';
import type { Log } from '../domain/log.ts';
import type { PathName } from '../domain/path-bytes.ts';
import type { Outcome } from '../domain/receipt.ts';
import { type UnsentReason, unsentOutcome } from '../domain/unsent-outcome.ts';
import { jobIdOf } from '../domain/upload-job.ts';
import { formatBytes } from '../platform/units.ts';
import type { FileEntry } from './archives/archive-entry.ts';
import type { Spool } from './archives/spool.ts';
import { attachTo } from './attach-to.ts';
import { batchJobOf, type EntryNeed, isEntry } from './batch-need.ts';
import { createBatchQueue } from './batch-queue.ts';
import type { BatchSink } from './batch-sink.ts';
import type { Comparable } from './content-check.ts';
import { gathered } from './gathered.ts';
import { createLooks } from './look.ts';
import { createOpenNeeds, type Need, type OpenVersion, type UploadNeed } from './open-needs.ts';
import { refusedOutcome, reusedOutcome } from './own-outcome.ts';
import { createOwnSettling, type OwnReceipt } from './own-settling.ts';
import type { AdmissionPorts, RecordedVersion } from './ports.ts';
import { createReuse } from './reuse.ts';
import { type Rules, type Ruling, ruleOn } from './ruling.ts';
import type { SeenFile } from './seen-file.ts';

export interface BatchPorts extends AdmissionPorts {
  /** These belong to the batch; durable when it returns. */
  members(found: readonly { readonly id: string; readonly gen: number }[]): void;
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
  readonly spool: Spool;
  /** A file became another version before it was sent. */
  readonly changed: (name: PathName) => void;
  readonly log: Log;
  readonly now: () => { readonly wallMs: number; readonly monotonicMs: number };
  readonly random: () => number;
}

/**
 * What is found for a batch becomes its members, and of those that have no receipt yet, jobs: unless an earlier upload
 * stands for them, as it does for what a watcher finds.
 */
export interface BatchAdmission extends BatchSink {
  /** Until it returns, some of what was taken may be known to nobody. */
  flush(signal: AbortSignal): Promise<void>;
  /**
   * Resolves when everything taken so far is in the queue, recorded, or no file of the batch any more; rejects when a
   * receipt cannot be kept.
   */
  passed(signal: AbortSignal): Promise<void>;
  /** What was taken and is neither in the queue nor recorded yet. */
  inHand(): Iterable<OpenVersion>;
}

/** What is found is handed on so many at a time. */
const MAX_FOUND = 100;
/** Entries are gathered for so long: a worker need not wait for a hundred large ones. */
const MAX_GATHER_MS = 200;

type Noted = Pick<Need, 'jobId' | 'id' | 'version' | 'ruling'>;
type Upload = Pick<UploadNeed, 'jobId' | 'id' | 'version' | 'ruling'>;

export function createBatchAdmission(options: BatchAdmissionOptions, ports: BatchPorts): BatchAdmission {
  const { source, destination, batch, root, spool, log, now } = options;
  const { contents = null, uploads } = ports;
  const open = createOpenNeeds();
  let members = new Map<string, { id: string; gen: number }>();
  let ready: (UploadNeed | EntryNeed)[] = [];
  let unsent: OwnReceipt<Noted>[] = [];
  let gatheringSinceMs = 0;
  /** Why a receipt could not be kept; null: all could. */
  let lost: unknown = null;

  const settling = createOwnSettling<Noted>({
    async record(outcomes) {
      await ports.settle(await attachTo(outcomes, ports.attached)).catch((error: unknown) => {
        lost = error;
        throw error;
      });
    },
    done(needs) {
      open.done(needs);
      void spool.release(needs.map(({ jobId }) => jobId));
    },
    log,
  });
  const queue = createBatchQueue(
    {
      ...{ source, maxPending: options.maxPending, needless: spool.release, log, random: options.random },
      isNeeded({ id, job }) {
        const ruling = rulingOn({ ...job, destination }, ports.recorded(id));
        return ruling.kind === 'upload' && ruling.gen === job.gen;
      },
    },
    ports,
  );
  // Few are looked at here: the thread pool does it, whatever the disk.
  const looks = createLooks(
    root,
    () => false,
    () => now().monotonicMs,
  );
  const reuse = createReuse(
    {
      ...{ root, contents, looks, uploads, rootPresent: options.rootPresent },
      take: ({ name }) => options.changed(name),
      wallMs: () => now().wallMs,
    },
    { send, settle, dropped: (need) => open.done([need]) },
  );
  const sendGathered = gathered(send);

  /** Into the batch; null when it has its receipt, or gets one here. */
  function noted(version: FileVersion): Upload | null {
    const id = fileVersionId(version);
    const recorded = ports.recorded(id);
    const ruling = rulingOn(version, recorded);
    const gen = ruling.kind === 'nothing' ? (recorded?.gen ?? 0) : ruling.gen;
    if (members.size === 0) gatheringSinceMs = now().monotonicMs;
    members.set(id, { id, gen });
    if (ruling.kind === 'nothing') return null;
    const jobId = jobIdOf(id, gen);
    if (ruling.kind === 'upload') return { jobId, id, version, ruling };
    giveReceipt({ jobId, id, version, ruling }, refusedOutcome(version, ruling, now().wallMs));
    return null;
  }

  function rulingOn({ path, size }: FileVersion, recorded: RecordedVersion | null): Ruling {
    // Whoever names a file means it, whenever it got there.
    return ruleOn({ name: { path }, size, ctimeMs: Number.POSITIVE_INFINITY }, recorded, options.rules);
  }

  function giveReceipt(need: Noted, outcome: Outcome): void {
    if (open.add(need)) unsent.push({ need, outcome: { ...outcome, batch } });
  }

  function refuse(need: Upload, reason: UnsentReason): void {
    const { version, ruling } = need;
    giveReceipt(need, unsentOutcome(version, reason, { gen: ruling.gen, batch, nowMs: now().wallMs }));
  }

  async function flushIfDue(signal: AbortSignal): Promise<void> {
    const waitedMs = now().monotonicMs - gatheringSinceMs;
    if (members.size >= MAX_FOUND || (members.size > 0 && waitedMs > MAX_GATHER_MS)) await flush(signal);
  }

  /** Members first, durably: so nothing of the batch is in the queue that the batch does not know. */
  async function flush(signal: AbortSignal): Promise<void> {
    ports.members([...members.values()]);
    members = new Map();
    const receipts = unsent;
    unsent = [];
    await settle(receipts, signal);
    const needs = ready;
    ready = [];
    const files = needs.filter((need): need is UploadNeed => !isEntry(need));
    const entries = needs.filter(isEntry);
    await send(await reuse.rest(files, signal), signal);
    await send(await restOfEntries(entries, signal), signal);
  }

  /** With `dedupe: content` those to be compared are seen to; the rest is to be sent now. */
  async function restOfEntries(needs: readonly EntryNeed[], signal: AbortSignal): Promise<EntryNeed[]> {
    const rest: EntryNeed[] = [];
    for (const need of needs) {
      if (contents === null || need.sha256 === null || need.ruling.asked) rest.push(need);
      else await contents.take(comparable(need, need.sha256), signal);
    }
    return rest;
  }

  /** What lies in the spool stays as it is. */
  function comparable(need: EntryNeed, sha256: string): Comparable {
    const { jobId, version, ruling } = need;
    return {
      ...{ jobId, path: version.path, size: version.size },
      hash: async () => ({ kind: 'hashed', sha256 }),
      isThere: async () => true,
      reuse: (upload, signal) =>
        settle([{ need, outcome: reusedOutcome(version, ruling.gen, upload, now().wallMs) }], signal),
      send: (signal) => sendGathered(need, signal),
      changed: async () => open.done([need]),
    };
  }

  async function settle(receipts: readonly OwnReceipt<Noted>[], signal: AbortSignal): Promise<void> {
    const own = receipts.map(({ need, outcome }) => ({ need, outcome: { ...outcome, batch } }));
    await settling.settle(own, signal);
  }

  async function send(needs: readonly (UploadNeed | EntryNeed)[], signal: AbortSignal): Promise<void> {
    await queue.add(
      needs.map((need) => batchJobOf(need, batch)),
      signal,
    );
    open.done(needs);
  }

  async function spooled(need: Upload, entry: FileEntry, signal: AbortSignal): Promise<void> {
    const { size } = entry;
    // What is gathered holds room in the spool that only a recorded upload gives back.
    if (!spool.fits(size)) await flush(signal);
    const hash = contents === null ? null : createHash('sha256');
    try {
      const unpacked = await spool.put(need.jobId, entry, signal, (chunk) => hash?.update(chunk));
      // One whose job waits already is sent: it gets no receipt beside it.
      const isNew = unpacked && !ports.isPending(need.jobId);
      const sha256 = isNew ? (hash?.digest('hex') ?? null) : null;
      if (open.add(need)) ready.push({ ...need, sha256 });
    } catch (error) {
      if (!(error instanceof SlipwayError) || error.code !== 'archive_entry_broken') throw error;
      const { code, kind, message } = error;
      refuse(need, { status: 'failed', code, kind, message });
    }
  }

  return {
    flush,
    inHand: open.all,

    async passed(signal) {
      await open.passed(signal);
      if (lost !== null) throw lost;
    },

    async files(files: readonly SeenFile[], signal) {
      for (const file of files) {
        const { name, size, mtimeNs } = file;
        const need = noted({ source, destination, ...name, size, mtimeNs });
        if (need === null) continue;
        uploads.remember(need.jobId, file);
        if (!ports.isPending(need.jobId) && open.add(need)) ready.push({ ...need, file, unlimited: false });
      }
      await flushIfDue(signal);
    },

    async entry(name: PathName, entry, signal) {
      const { size, mtimeNs } = entry;
      const need = noted({ source, destination, ...name, size, mtimeNs });
      const isUnderWay = ({ jobId }: Upload): boolean => ports.isPending(jobId) && spool.has(jobId, size);
      if (need !== null && !open.has(need.jobId) && !isUnderWay(need)) {
        if (size > spool.maxBytes) refuse(need, tooLarge(size, spool.maxBytes));
        else await spooled(need, entry, signal);
      }
      await flushIfDue(signal);
    },

    async refused(name, { size, mtimeNs }, { code, details }, signal) {
      const need = noted({ source, destination, ...name, size, mtimeNs });
      const message = errorMessage(code, details);
      if (need !== null) refuse(need, { status: 'failed', code, kind: ERRORS[code].kind, message });
      await flushIfDue(signal);
    },
  };
}

function tooLarge(size: number, maxBytes: number): UnsentReason {
  const message = `${formatBytes(size)} does not fit into the spool (${formatBytes(maxBytes)}): raise spool.maxBytes, or unpack the archive and ingest the folder`;
  return { status: 'skipped', code: 'too_large', kind: 'skipped', message };
}
