import { blockerReport, foremost, type SourceBlocker } from '../../domain/blocker.ts';
import type { SourceReport } from '../../domain/live-report.ts';
import type { PendingJobs } from '../../intake/admit/pending-jobs.ts';
import type { BatchRunner } from '../../intake/batch/batch-runner.ts';
import type { Intake } from '../../intake/watch/watcher.ts';
import type { SourceStore } from '../../ledger/store/source-store.ts';
import { openLostCount } from '../../ledger/tables/lost-count.ts';
import type { Notifier } from '../../notify/notifier.ts';
import type { QueueHold } from '../../queue/queue-holds.ts';
import type { UploadQueue } from '../../queue/upload-queue.ts';
import type { BatchBook } from '../../record/batches/batch-book.ts';
import type { Recorder } from '../../record/recorder.ts';
import type { FilesInHand } from '../owner/files-in-hand.ts';
import type { SourcePlan } from '../plans/source-plan.ts';

export interface OwnerReport {
  /** Files and folders that the last comparison of the whole folder could not look at. */
  unreadable(): number;
  /** Whether something that lies in the folder is on its way to a receipt. */
  unfinished(): boolean;
  report(): Promise<SourceReport>;
}

interface OwnerReportParts {
  readonly plan: SourcePlan;
  readonly queue: UploadQueue;
  readonly store: SourceStore;
  readonly pending: PendingJobs;
  readonly inHand: FilesInHand;
  readonly recorder: Recorder;
  readonly intake: Intake;
  readonly runs: Pick<BatchRunner, 'inHand'>;
  readonly batches: Pick<BatchBook, 'list'>;
  /** What somebody has set on the queue past Slipway. */
  readonly holds: () => Promise<readonly QueueHold[]>;
  readonly notifier: Notifier | null;
  readonly now: () => number;
}

/** What `status` and the progress line show of one source, from the parts that know it. */
export function createOwnerReport(parts: OwnerReportParts): OwnerReport {
  const { plan, queue, store, pending, inHand: files, intake, runs, batches, notifier } = parts;

  /** Versions between two books, each once: a watcher and a batch may have the same one in hand. */
  function inHand(): number {
    const counted = new Set<string>();
    for (const { jobId, id, gen } of [...intake.inHand(), ...runs.inHand()]) {
      // Queued or recorded a moment ago: it is in the next book already.
      if (!pending.has(jobId) && (store.ledger.find(id)?.gen ?? -1) < gen) counted.add(jobId);
    }
    return counted.size;
  }

  const lost = openLostCount(store.ledger);
  const blockers = blockersOf(parts);

  /** Redis away says nothing of it. */
  const holds = (): Promise<readonly QueueHold[]> => parts.holds().catch(() => []);

  function unreadable(): number {
    return intake.counts().scan.unobservable;
  }

  function trouble(blocker: SourceBlocker | null): string | null {
    if (blocker !== null) return blocker.message;
    const count = unreadable();
    return count === 0
      ? null
      : `${count} of the files and folders in ${plan.root} cannot be read: give the user that runs Slipway permission to read them`;
  }

  return {
    unreadable,
    unfinished: () => pending.open() + intake.unsettled() > 0 || [...intake.inHand()].length > 0,

    async report() {
      const jobs = await queue.counts();
      // Of files that travel together those in hand are under way, and those that are handed over neither; the others wait.
      const { sending, handedOver } = files.counts('carrier');
      const waiting = jobs.waiting + Math.max(0, pending.carried() - sending - handedOver);
      const active = Math.max(0, jobs.active - files.counts('single').handedOver) + sending;
      const { delayed } = jobs;
      const { uploaded, failed, skipped } = store.ledger.counts().latest;
      const unsettled = intake.unsettled();
      const open = pending.open() + inHand() + unsettled;
      const inTheWay = [...blockers.now(), ...blockers.held(await holds())];
      return {
        name: plan.name,
        path: plan.root,
        destination: plan.destination,
        manifest: plan.manifest,
        // The books balance by construction: whatever is known is recorded or pending.
        discovered: uploaded + failed + skipped + open,
        uploaded,
        failed,
        skipped,
        dead: store.ledger.deadLetters.count(),
        lostJobs: lost.jobs(),
        pending: open,
        unsettled,
        unreadable: unreadable(),
        leftAlone: intake.counts().scan.ignored,
        waiting,
        active,
        delayed,
        oldestWaiting: waiting === 0 ? null : await queue.oldestWaiting(),
        batches: batches.list(),
        trouble: trouble(foremost(inTheWay)),
        blockers: inTheWay.map(blockerReport),
        webhooks: notifier?.report() ?? [],
      };
    },
  };
}

/** What keeps receipts from being kept, or files from being found; each since it was first asked for. */
function blockersOf({
  plan: { root },
  recorder,
  intake,
  now,
}: Pick<OwnerReportParts, 'plan' | 'recorder' | 'intake' | 'now'>): {
  now(): readonly SourceBlocker[];
  held(holds: readonly QueueHold[]): readonly SourceBlocker[];
} {
  const since = new Map<string, number>();
  const block = (
    reason: 'recording' | 'root-gone' | 'queue-held',
    message: string | null,
    passes: 'none' | 'others' = 'none',
  ): SourceBlocker[] => {
    if (message === null) since.delete(reason);
    if (message === null) return [];
    const sinceMs = since.get(reason) ?? now();
    since.set(reason, sinceMs);
    return [{ reason, sinceMs, untilMs: null, message, passes }];
  };
  const held = (holds: readonly QueueHold[]): SourceBlocker[] => {
    if (holds.length === 0) return block('queue-held', null);
    // What is limited goes on all the same.
    return holds.flatMap(({ kind, message }) =>
      block('queue-held', message, kind === 'paused' ? 'none' : 'others'),
    );
  };
  const here = (): readonly SourceBlocker[] => {
    const state = recorder.state();
    const halted = state.kind === 'paused' || state.kind === 'halted' ? state.error.message : null;
    const found = intake.counts().root;
    const gone =
      found === 'missing'
        ? `the folder ${root} is not there`
        : found === 'unmounted'
          ? `the folder ${root} is empty, as when its disk is not mounted`
          : null;
    return [...block('recording', halted), ...block('root-gone', gone)];
  };
  return { now: here, held };
}
