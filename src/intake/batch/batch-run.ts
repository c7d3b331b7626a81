import type { BatchMissed } from '../../domain/batch.ts';
import { type BatchProgress, type BatchTally, emptyTally } from '../../domain/batch-progress.ts';
import type { BatchSource } from '../../domain/batch-source.ts';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { createWaker } from '../../platform/waiting/waker.ts';
import type { Rules } from '../admit/decision.ts';
import type { OpenVersion } from '../admit/in-flight.ts';
import type { Spool } from '../archives/spool.ts';
import type { AdmissionPorts } from '../ports.ts';
import { keyOf } from '../scan/seen-file.ts';
import type { Instant } from '../scan/settle.ts';
import type { RootMemory } from '../watch/root-guard.ts';
import { type BatchAdmission, createBatchAdmission } from './batch-admission.ts';
import { type BatchDiscovery, openBatchDiscovery } from './batch-discovery.ts';
import { type BatchRoot, createBatchRoot } from './batch-root.ts';
import type { BatchDiscoveryOptions } from './batch-sink.ts';
import type { BatchAttachments, BatchRecords, OpenBatchAttachments } from './ports.ts';

/** What finding the files of a batch of one source works with. */
export interface BatchRunOptions extends Omit<BatchDiscoveryOptions, 'rootFolder'> {
  /** Name of the destination of the source. */
  readonly destination: string;
  /** `queue.maxPending`. */
  readonly maxPending: number;
  readonly ports: AdmissionPorts;
  /** What decides, besides the ledger, whether a file is sent. */
  readonly rules: Rules;
  readonly rootMemory: RootMemory;
  readonly records: BatchRecords;
  readonly attachmentsOf: OpenBatchAttachments;
  readonly spool: Spool;
  readonly log: Log;
  readonly now: () => Instant;
}

/** One batch whose files are being found, and what is known of it here. */
export interface BatchRun {
  /** Goes on with one that failed; one that is under way, or over, is left as it is. */
  resume(): void;
  /** Looks through its inputs again: jobs were lost. Nothing for one that has ended. */
  rescan(): void;
  /** A file of it turned out to be another version: it is looked at once more before the batch is complete. */
  changed(name: PathName): void;
  /** Something was recorded. */
  wake(): void;
  /** Resolves when its inputs are looked through. Rejects when they cannot be. */
  caughtUp(): Promise<void>;
  progress(): BatchProgress;
  inHand(): Iterable<OpenVersion>;
  unsettled(): number;
  /** Resolves when nothing of it runs any more. Rejects never. */
  stopped(): Promise<void>;
}

type Phase =
  | { readonly kind: 'under way' }
  /** Under way, and to be looked through again from the beginning. */
  | { readonly kind: 'again' }
  /** Nothing of it runs here any more. */
  | { readonly kind: 'over' }
  | { readonly kind: 'failed'; readonly error: unknown };

/** A file that is written all the time is not waited for longer than this many versions of it. */
const MAX_CHANGES = 5;

/**
 * Begins to find the files of a batch.
 * @param signal ends it
 */
export function startBatchRun(part: BatchSource, options: BatchRunOptions, signal: AbortSignal): BatchRun {
  const { source, records, log } = options;
  const { batch, inputs } = part;
  const waker = createWaker();
  let phase: Phase = { kind: 'under way' };
  /** Of the pass over the inputs that is under way, or was the last. */
  let tally = emptyTally();
  let admission: BatchAdmission | null = null;
  let discovery: BatchDiscovery | null = null;
  let walked = false;
  let changes = new Map<string, PathName>();

  const isToDoAgain = (): boolean => phase.kind === 'again';
  const changed = (name: PathName): void => void changes.set(keyOf(name), name);

  /** The story of a batch: find its files, wait for their receipts, look again at what changed, say that that was all. */
  async function run(): Promise<void> {
    if (records.open(part) === 'ended') return;
    const attachments = await options.attachmentsOf(batch, part.meta);
    const rootFolder = rootOf(part, options, isOpen);
    const sink = admissionOf({ part, options, rootFolder, attachments, changed });
    admission = sink;
    let rounds = 0;
    do {
      phase = { kind: 'under way' };
      tally = emptyTally();
      discovery = await openBatchDiscovery({ ...options, rootFolder }, sink, tally);
      await discovery.discover(inputs, signal);
      await sink.flush(signal);
      walked = true;
      records.walked(batch);
      for (;;) {
        await sink.passed(signal);
        await dropOrphans();
        await untilRecorded();
        if (isToDoAgain() || changes.size === 0 || rounds === MAX_CHANGES) break;
        rounds += 1;
        const names = [...changes.values()];
        changes = new Map();
        await discovery.lookAgain(names, signal);
        await sink.flush(signal);
      }
    } while (isToDoAgain());
    // Written to all the time: the version of now has no receipt.
    tally.unsettled += changes.size;
    phase = { kind: 'over' };
    records.discovered(batch, missedOf(tally));
    await attachments.forget();
  }

  /** All that lies there has been seen and queued: what has no job and no receipt by now will never have one. */
  async function dropOrphans(): Promise<void> {
    const files = await records.dropOrphans(batch);
    if (files > 0)
      log.warn({ batch, files }, 'files of a batch went away before they were sent: they are no part of it');
  }

  /** Whether members of it wait for their receipts. */
  function isOpen(): boolean {
    const state = records.state(batch);
    return state !== null && state.done < state.members;
  }

  /** Every member that is known has its receipt, or the inputs are to be looked through again. */
  async function untilRecorded(): Promise<void> {
    while (isOpen() && !isToDoAgain()) {
      signal.throwIfAborted();
      await waker.sleep(null);
    }
    signal.throwIfAborted();
  }

  async function begin(): Promise<void> {
    phase = { kind: 'under way' };
    try {
      await run();
    } catch (error) {
      if (signal.aborted) return;
      phase = { kind: 'failed', error };
      log.error({ batch, reason: reasonOf(error) }, 'a batch cannot go on');
    }
  }

  let done = begin();

  return {
    changed,
    wake: waker.wake,
    resume() {
      if (phase.kind === 'failed') done = begin();
    },
    rescan() {
      if (records.ends.find(batch) !== null) return;
      if (phase.kind === 'over' || phase.kind === 'failed') done = begin();
      else phase = { kind: 'again' };
      waker.wake();
    },
    async caughtUp() {
      for (let seen: Promise<void> | null = null; seen !== done; ) {
        seen = done;
        await seen;
      }
      if (phase.kind === 'failed') throw phase.error;
      signal.throwIfAborted();
    },
    progress() {
      const end = records.ends.find(batch);
      const state = records.state(batch);
      const members = end?.counts.discovered ?? state?.members ?? 0;
      return {
        ...{ batch, source, walked: walked || end !== null, end },
        tally: { ...tally, ...end?.missed },
        ...{ members, done: end === null ? (state?.done ?? 0) : members },
        failure: phase.kind === 'failed' ? failureText(phase.error) : null,
      };
    },
    inHand: () => admission?.inHand() ?? [],
    unsettled: () => discovery?.unsettled() ?? 0,
    stopped: () => done,
  };
}

function rootOf(
  { inputs, rootIdentity }: BatchSource,
  { source, root, rootMemory }: BatchRunOptions,
  expectsFiles: () => boolean,
): BatchRoot {
  return createBatchRoot({
    ...{ source, root, memory: rootMemory, askedFor: rootIdentity ?? null, expectsFiles },
    walked: inputs.some(({ kind }) => kind !== 'archive'),
  });
}

function admissionOf(from: {
  readonly part: BatchSource;
  readonly options: BatchRunOptions;
  readonly rootFolder: BatchRoot;
  readonly attachments: BatchAttachments;
  readonly changed: (name: PathName) => void;
}): BatchAdmission {
  const { part, options, rootFolder, attachments, changed } = from;
  const { batch } = part;
  const { records, ports } = options;
  return createBatchAdmission(
    { ...options, batch, changed, rootPresent: rootFolder.isPresent, random: Math.random },
    {
      ...ports,
      attached: attachments.attached,
      members: (found) => void records.add(batch, found),
    },
  );
}

function missedOf({ unusable, unreadable, unsettled }: BatchTally): BatchMissed {
  return { unusable, unreadable, unsettled };
}

function failureText(error: unknown): string {
  return error instanceof SlipwayError ? error.message : reasonOf(error);
}
