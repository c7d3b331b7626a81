import type { DiskMark } from '../../domain/disk-mark.ts';
import type { Log } from '../../domain/log.ts';
import { jobIdOf } from '../../domain/upload-job.ts';
import { createContentCheck } from '../../intake/admit/content-check.ts';
import type { PendingJobs } from '../../intake/admit/pending-jobs.ts';
import type { AdmissionPorts } from '../../intake/ports.ts';
import { versionKey } from '../../ledger/ledger-codec.ts';
import type { SourceStore } from '../../ledger/store/source-store.ts';
import { openChangedVerdicts } from '../../ledger/tables/changed-verdicts.ts';
import { openContentIndex } from '../../ledger/tables/content-index.ts';
import { openEntryMarks } from '../../ledger/tables/entry-marks.ts';
import { type InodeState, openInodeIndex } from '../../ledger/tables/inode-index.ts';
import type { SourcePlan } from '../plans/source-plan.ts';
import { earlierUploads } from './find-earlier-uploads.ts';

export interface IntakeMemory
  extends Pick<
    AdmissionPorts,
    'recorded' | 'uploads' | 'contents' | 'entryMarks' | 'markDisk' | 'sendAgain'
  > {
  /** Which file on disk a receipt to come is about; null: nobody knows. */
  readonly stateOf: (jobId: string) => InodeState | null;
  /** By what that file is told from another in its place; left out: nobody knows. */
  readonly diskOf: (jobId: string) => DiskMark | undefined;
}

/**
 * What intake asks of the records of one source. Opened before the recorder starts, since all of it is kept with the
 * commits, also with those of a journal that is replayed.
 */
export async function openIntakeMemory(options: {
  readonly plan: Pick<SourcePlan, 'destination' | 'dedupe'>;
  readonly store: SourceStore;
  readonly pending: PendingJobs;
  readonly now: () => number;
  readonly log: Log;
}): Promise<IntakeMemory> {
  const { plan, store, pending, now, log } = options;
  const { ledger, journal } = store;
  const { destination } = plan;
  ledger.alongside(({ id, gen }) => pending.recorded(jobIdOf(id, gen)));
  const changed = openChangedVerdicts(ledger);
  const inodes = openInodeIndex(ledger);
  const contents =
    plan.dedupe === 'content' ? await openContentIndex({ ledger, journal: journal.path, log }) : null;
  const uploads = earlierUploads({ destination, store, inodes, contents, pending, now, log });
  return {
    recorded(id) {
      const known = ledger.find(id);
      return known?.code === 'changed' ? { ...known, changedInRow: changed.inARow(id, known.gen) } : known;
    },
    uploads,
    stateOf: inodes.remembered,
    diskOf(jobId) {
      const state = inodes.remembered(jobId);
      return state?.ctimeMs === undefined ? undefined : { ino: state.ino, ctimeMs: state.ctimeMs };
    },
    entryMarks: openEntryMarks(ledger),
    markDisk(marks) {
      ledger.markDisk(marks.map(({ id, gen, disk }) => ({ key: versionKey(id), gen, disk })));
    },
    sendAgain(versions) {
      ledger.sendAgain(versions.map(({ id, gen }) => ({ key: versionKey(id), gen })));
    },
    contents: contents === null ? undefined : createContentCheck(uploads, log),
  };
}
