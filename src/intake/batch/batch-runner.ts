import type { BatchEnd, BatchMissed } from '../../domain/batch.ts';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { Receipt } from '../../domain/receipt.ts';
import type { BatchSource } from '../../ledger/store/batch-spec.ts';
import { createWaker, type Waker } from '../../platform/waiting/waker.ts';
import type { BatchBook } from '../../record/batches/batch-book.ts';
import type { Attachments } from '../../runtime/owner/attachments.ts';
import type { SourcePlan } from '../../runtime/plans/source-plan.ts';
import type { Rules } from '../admit/decision.ts';
import type { OpenVersion } from '../admit/in-flight.ts';
import type { Spool } from '../archives/spool.ts';
import type { AdmissionPorts } from '../ports.ts';
import { keyOf } from '../scan/seen-file.ts';
import type { RootMemory } from '../watch/root-guard.ts';
import { type BatchAdmission, createBatchAdmission } from './batch-admission.ts';
import { type BatchDiscovery, openBatchDiscovery } from './batch-discovery.ts';
import { createBatchRoot } from './batch-root.ts';
import { type BatchTally, emptyTally } from './batch-sink.ts';

/** How far a batch is, as its owner knows it. */
export interface BatchProgress {
  readonly batch: string;
  readonly source: string;
  /** Whether every input has been looked through; until then the other numbers still grow. */
  readonly walked: boolean;
  readonly members: number;
  readonly done: number;
  /** Of this pass over the inputs; what was missed is that of the end, once there is one. */
  readonly tally: BatchTally;
  readonly end: BatchEnd | null;
  /** Why it cannot go on, in one line. */
  readonly failure: string | null;
}

/** The batches that this owner finds the files of. */
export interface BatchRunner {
  /** Begins, or goes on with one; one that is under way here, or has ended, is left as it is. */
  start(part: BatchSource): void;
  /** Looks through the inputs again: jobs were lost. */
  rescan(): void;
  /** After every commit, outside its transaction. */
  recorded(receipts: readonly Receipt[], jobIds: readonly string[]): void;
  /** Resolves when the inputs of every batch here are looked through. Rejects when one cannot be. */
  caughtUp(): Promise<void>;
  /** Resolves when all of them have ended. */
  ended(): Promise<void>;
  /** null: this owner does not know it. */
  progress(batch: string): BatchProgress | null;
  /** What was found for them and is neither in the queue nor recorded yet. */
  inHand(): Iterable<OpenVersion>;
  /** Files seen for them that are not whole yet. */
  unsettled(): number;
  stop(): Promise<void>;
}

export interface BatchRunnerOptions {
  readonly plan: SourcePlan;
  readonly ownPaths: readonly string[];
  readonly maxPending: number;
  readonly ports: AdmissionPorts;
  /** What decides, besides the ledger, whether a file is sent. */
  readonly rules: Rules;
  readonly rootMemory: RootMemory;
  readonly batches: BatchBook;
  readonly attachments: Attachments;
  /** Takes out of a batch what can have no receipt any more. */
  readonly dropOrphans: (batch: string) => Promise<number>;
  readonly spool: Spool;
  readonly log: Log;
  readonly now: () => { readonly wallMs: number; readonly monotonicMs: number };
}

interface Running {
  readonly part: BatchSource;
  readonly waker: Waker;
  tally: BatchTally;
  admission: BatchAdmission | null;
  discovery: BatchDiscovery | null;
  walked: boolean;
  /** To be looked through again from the beginning. */
  again: boolean;
  /** Versions that turned out to be others: looked at once more before the batch is complete. */
  changed: Map<string, PathName>;
  failure: unknown;
  /** Its run looks at `again` no more. */
  over: boolean;
  done: Promise<void>;
}

/** A file that is written all the time is not waited for longer than this many versions of it. */
const MAX_CHANGES = 5;

/** None running. */
export function createBatchRunner(facts: BatchRunnerOptions): BatchRunner {
  const { plan, batches, spool, log, now } = facts;
  const runs = new Map<string, Running>();
  const stopping = new AbortController();
  const { signal } = stopping;

  /** The story of a batch: find its files, wait for their receipts, look again at what changed, say that that was all. */
  async function run(running: Running): Promise<void> {
    const { part } = running;
    const { batch, inputs } = part;
    if (batches.open(part) === 'ended') return;
    const attachments = await facts.attachments.ofBatch(batch, part.meta);
    const rootFolder = createBatchRoot({
      ...{
        source: plan.name,
        root: plan.root,
        memory: facts.rootMemory,
        askedFor: part.rootIdentity ?? null,
      },
      walked: inputs.some(({ kind }) => kind !== 'archive'),
      expectsFiles: () => isOpen(batch),
    });
    const admission = createBatchAdmission(
      {
        ...{ source: plan.name, destination: plan.destination, batch, root: plan.root, spool, log, now },
        ...{ maxPending: facts.maxPending, rules: facts.rules, random: Math.random },
        rootPresent: rootFolder.isPresent,
        changed: (name) => void running.changed.set(keyOf(name), name),
      },
      {
        ...facts.ports,
        attached: attachments.attached,
        members: (found) => void batches.add(batch, found),
      },
    );
    running.admission = admission;
    const options = { ...plan, source: plan.name, rootFolder, ownPaths: facts.ownPaths, now, log };
    let changes = 0;
    do {
      running.again = false;
      running.tally = emptyTally();
      const discovery = await openBatchDiscovery(options, admission, running.tally);
      running.discovery = discovery;
      await discovery.discover(inputs, signal);
      await admission.flush(signal);
      running.walked = true;
      batches.walked(batch);
      for (;;) {
        await admission.passed(signal);
        await dropOrphans(batch);
        await untilRecorded(running);
        if (running.again || running.changed.size === 0 || changes === MAX_CHANGES) break;
        changes += 1;
        const names = [...running.changed.values()];
        running.changed = new Map();
        await discovery.lookAgain(names, signal);
        await admission.flush(signal);
      }
    } while (running.again);
    // Written to all the time: the version of now has no receipt.
    running.tally.unsettled += running.changed.size;
    running.over = true;
    batches.discovered(batch, missedOf(running.tally));
    await attachments.forget();
  }

  /** All that lies there has been seen and queued: what has no job and no receipt by now will never have one. */
  async function dropOrphans(batch: string): Promise<void> {
    const files = await facts.dropOrphans(batch);
    if (files > 0)
      log.warn({ batch, files }, 'files of a batch went away before they were sent: they are no part of it');
  }

  /** Whether members of it wait for their receipts. */
  function isOpen(batch: string): boolean {
    const state = batches.state(batch);
    return state !== null && state.done < state.members;
  }

  /** Every member that is known has its receipt, or the inputs are to be looked through again. */
  async function untilRecorded(running: Running): Promise<void> {
    while (isOpen(running.part.batch) && !running.again) {
      signal.throwIfAborted();
      await running.waker.sleep(null);
    }
    signal.throwIfAborted();
  }

  function begin(running: Running): void {
    running.failure = null;
    running.over = false;
    running.done = run(running).catch((error: unknown) => {
      if (signal.aborted) return;
      running.over = true;
      running.failure = error;
      log.error({ batch: running.part.batch, reason: reasonOf(error) }, 'a batch cannot go on');
    });
  }

  function wakeAll(): void {
    for (const { waker } of runs.values()) waker.wake();
  }

  signal.addEventListener('abort', wakeAll, { once: true });

  return {
    start(part) {
      const there = runs.get(part.batch);
      if (there !== undefined) {
        if (there.failure !== null) begin(there);
        return;
      }
      const running: Running = {
        ...{ part, waker: createWaker(), tally: emptyTally(), walked: false, again: false },
        ...{ admission: null, discovery: null },
        ...{ changed: new Map(), failure: null, over: false, done: Promise.resolve() },
      };
      runs.set(part.batch, running);
      begin(running);
    },

    rescan() {
      for (const running of runs.values()) {
        if (batches.ends.find(running.part.batch) !== null) continue;
        if (running.over) begin(running);
        else running.again = true;
      }
      wakeAll();
    },

    recorded(receipts, jobIds) {
      void spool.release(jobIds);
      for (const { batch, error, path, pathBytes } of receipts) {
        if (error?.code !== 'changed' || batch === null) continue;
        const name: PathName = pathBytes === undefined ? { path } : { path, pathBytes };
        runs.get(batch)?.changed.set(keyOf(name), name);
      }
      wakeAll();
    },

    async caughtUp() {
      for (const running of runs.values()) {
        for (let seen: Promise<void> | null = null; seen !== running.done; ) {
          seen = running.done;
          await seen;
        }
        if (running.failure !== null) throw running.failure;
        signal.throwIfAborted();
      }
    },

    async ended() {
      await Promise.all([...runs.keys()].map((batch) => batches.ended(batch)));
    },

    progress(batch) {
      const running = runs.get(batch);
      if (running === undefined) return null;
      const { tally, walked, failure } = running;
      const end = batches.ends.find(batch);
      const state = batches.state(batch);
      const members = end?.counts.discovered ?? state?.members ?? 0;
      return {
        ...{ batch, source: plan.name, walked: walked || end !== null, end },
        tally: { ...tally, ...end?.missed },
        ...{ members, done: end === null ? (state?.done ?? 0) : members },
        failure: failure === null ? null : failureText(failure),
      };
    },

    *inHand() {
      for (const { admission } of runs.values()) yield* admission?.inHand() ?? [];
    },

    unsettled: () =>
      [...runs.values()].reduce((sum, { discovery }) => sum + (discovery?.unsettled() ?? 0), 0),

    async stop() {
      stopping.abort();
      await Promise.all([...runs.values()].map(({ done }) => done));
    },
  };
}

function missedOf({ unusable, unreadable, unsettled }: BatchTally): BatchMissed {
  return { unusable, unreadable, unsettled };
}

function failureText(error: unknown): string {
  return error instanceof SlipwayError ? error.message : reasonOf(error);
}
