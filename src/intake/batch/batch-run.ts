import type { BatchMissed } from '../../domain/batch.ts';
import { type BatchProgress, type BatchTally, emptyTally } from '../../domain/batch-progress.ts';
import type { BatchSource } from '../../domain/batch-source.ts';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { createWaker, type Waker } from '../../platform/waiting/waker.ts';
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
import { createLeftOutNames, type LeftOutNames } from './left-out-names.ts';
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

/** What is known here of one batch. */
interface State {
  phase: Phase;
  /** Whether all of its inputs have been looked through once. */
  walked: boolean;
  /** Of the pass over the inputs that is under way, or was the last. */
  tally: BatchTally;
  /** What that pass has left out. */
  leftOut: LeftOutNames;
  admission: BatchAdmission | null;
  discovery: BatchDiscovery | null;
  /** Files that turned out to be other versions. */
  changes: Map<string, PathName>;
}

interface Run {
  readonly part: BatchSource;
  readonly options: BatchRunOptions;
  readonly state: State;
  /** Woken when something is recorded, or asked for. */
  readonly waker: Waker;
  readonly signal: AbortSignal;
}

/** A file that is written all the time is not waited for longer than this many versions of it. */
const MAX_CHANGES = 5;

/**
 * Begins to find the files of a batch.
 * @param signal ends it
 */
export function startBatchRun(part: BatchSource, options: BatchRunOptions, signal: AbortSignal): BatchRun {
  const { records, log } = options;
  const { batch } = part;
  const waker = createWaker();
  const state: State = {
    ...{ phase: { kind: 'under way' }, walked: false, ...nothingFound(options) },
    ...{ admission: null, discovery: null, changes: new Map() },
  };

  async function begin(): Promise<void> {
    state.phase = { kind: 'under way' };
    try {
      await run({ part, options, state, waker, signal });
    } catch (error) {
      if (signal.aborted) return;
      state.phase = { kind: 'failed', error };
      log.error({ batch, reason: reasonOf(error) }, 'a batch cannot go on');
    }
  }

  let done = begin();

  return {
    wake: waker.wake,
    changed: (name) => void state.changes.set(keyOf(name), name),
    resume() {
      if (state.phase.kind === 'failed') done = begin();
    },
    rescan() {
      if (records.ends.find(batch) !== null) return;
      const { kind } = state.phase;
      if (kind === 'over' || kind === 'failed') done = begin();
      else state.phase = { kind: 'again' };
      waker.wake();
    },
    async caughtUp() {
      for (let seen: Promise<void> | null = null; seen !== done; ) {
        seen = done;
        await seen;
      }
      if (state.phase.kind === 'failed') throw state.phase.error;
      signal.throwIfAborted();
    },
    progress: () => progressOf(part, options, state),
    inHand: () => state.admission?.inHand() ?? [],
    unsettled: () => state.discovery?.unsettled() ?? 0,
    stopped: () => done,
  };
}

/** The story of a batch: find its files, wait for their receipts, look again at what changed, say that that was all. */
async function run(one: Run): Promise<void> {
  const { part, options, state, signal } = one;
  const { batch, inputs } = part;
  const { records } = options;
  if (records.open(part) === 'ended') return;
  const attachments = await options.attachmentsOf(batch, part.meta);
  const rootFolder = rootOf(one);
  const admission = admissionOf(one, rootFolder, attachments);
  state.admission = admission;
  let rounds = 0;
  do {
    state.phase = { kind: 'under way' };
    Object.assign(state, nothingFound(options));
    const discovery = await openBatchDiscovery({ ...options, rootFolder }, admission, state);
    state.discovery = discovery;
    await discovery.discover(inputs, signal);
    await admission.flush(signal);
    state.walked = true;
    records.walked(batch);
    for (;;) {
      await admission.passed(signal);
      await dropOrphans(one);
      await untilRecorded(one);
      if (isToDoAgain(state) || state.changes.size === 0 || rounds === MAX_CHANGES) break;
      rounds += 1;
      const names = [...state.changes.values()];
      state.changes = new Map();
      await discovery.lookAgain(names, signal);
      await admission.flush(signal);
    }
  } while (isToDoAgain(state));
  // Written to all the time: the version of now has no receipt.
  for (const name of state.changes.values()) state.leftOut.add(name, 'unsettled', true);
  state.phase = { kind: 'over' };
  records.discovered(batch, missedOf(state.tally), state.leftOut.list());
  await attachments.forget();
}

function nothingFound({ source, log }: BatchRunOptions): Pick<State, 'tally' | 'leftOut'> {
  const tally = emptyTally();
  return { tally, leftOut: createLeftOutNames(tally, source, log) };
}

function isToDoAgain({ phase }: State): boolean {
  return phase.kind === 'again';
}

/** All that lies there has been seen and queued: what has no job and no receipt by now will never have one. */
async function dropOrphans({ part: { batch }, options: { records, log } }: Run): Promise<void> {
  const files = await records.dropOrphans(batch);
  if (files > 0)
    log.warn({ batch, files }, 'files of a batch went away before they were sent: they are no part of it');
}

/** Whether members of it wait for their receipts. */
function isOpen({ part, options }: Run): boolean {
  const state = options.records.state(part.batch);
  return state !== null && state.done < state.members;
}

/** Every member that is known has its receipt, or the inputs are to be looked through again. */
async function untilRecorded(one: Run): Promise<void> {
  const { state, waker, signal } = one;
  while (isOpen(one) && !isToDoAgain(state)) {
    signal.throwIfAborted();
    await waker.sleep(null);
  }
  signal.throwIfAborted();
}

function progressOf(
  { batch }: BatchSource,
  { source, records }: BatchRunOptions,
  { tally, walked, phase }: State,
): BatchProgress {
  const end = records.ends.find(batch);
  const state = records.state(batch);
  const members = end?.counts.discovered ?? state?.members ?? 0;
  return {
    ...{ batch, source, walked: walked || end !== null, end },
    tally: { ...tally, ...end?.missed },
    ...{ members, done: end === null ? (state?.done ?? 0) : members },
    failure: phase.kind === 'failed' ? failureText(phase.error) : null,
  };
}

function rootOf(one: Run): BatchRoot {
  const { inputs, rootIdentity } = one.part;
  const { source, root, rootMemory } = one.options;
  return createBatchRoot({
    ...{ source, root, memory: rootMemory, askedFor: rootIdentity ?? null },
    walked: inputs.some(({ kind }) => kind !== 'archive'),
    expectsFiles: () => isOpen(one),
  });
}

function admissionOf(one: Run, rootFolder: BatchRoot, attachments: BatchAttachments): BatchAdmission {
  const { part, options, state } = one;
  const { records, ports } = options;
  const { batch } = part;
  return createBatchAdmission(
    {
      ...{ ...options, batch, rootPresent: rootFolder.isPresent, random: Math.random },
      changed: (name) => void state.changes.set(keyOf(name), name),
    },
    { ...ports, attached: attachments.attached, members: (found) => void records.add(batch, found) },
  );
}

function missedOf({ unusable, unreadable, unsettled, ignored }: BatchTally): BatchMissed {
  return { unusable, unreadable, unsettled, ignored };
}

function failureText(error: unknown): string {
  return error instanceof SlipwayError ? error.message : reasonOf(error);
}
