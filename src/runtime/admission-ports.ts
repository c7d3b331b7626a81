import type { Log } from '../domain/log.ts';
import { jobIdOf } from '../domain/upload-job.ts';
import type { AdmissionPorts } from '../intake/ports.ts';
import type { Exclusive } from '../platform/mutex.ts';
import type { UploadQueue } from '../queue/upload-queue.ts';
import { openChangedVerdicts } from '../record/changed-verdicts.ts';
import { openContentIndex } from '../record/content-index.ts';
import type { FolderBatches } from '../record/folder-batches.ts';
import { openInodeIndex } from '../record/inode-index.ts';
import type { SourceStore } from '../record/source-store.ts';
import type { Attachments } from './attachments.ts';
import { earlierUploads } from './earlier-uploads.ts';
import type { PendingJobs } from './pending-jobs.ts';
import type { SourcePlan } from './source-plan.ts';

/**
 * What admission asks of the queue and the ledger of one source. The indexes are opened before anything is recorded:
 * they are kept by the commits.
 * @returns the ports, once there is somebody who records what needs no job; `folders`: where top folders are batches
 */
export async function openAdmissionPorts(parts: {
  readonly plan: SourcePlan;
  readonly store: SourceStore;
  readonly queue: UploadQueue;
  readonly pending: PendingJobs;
  readonly exclusive: Exclusive;
  readonly attachments: Attachments;
  readonly log: Log;
  readonly now: () => number;
}): Promise<(settle: AdmissionPorts['settle'], folders: FolderBatches | null) => AdmissionPorts> {
  const { plan, store, queue, pending, exclusive, attachments, log, now } = parts;
  const { ledger, journal } = store;
  const { destination, dedupe } = plan;
  ledger.alongside(({ id, gen }) => pending.recorded(jobIdOf(id, gen)));
  const changed = openChangedVerdicts(ledger);
  const inodes = openInodeIndex(ledger);
  const contents =
    dedupe === 'version' ? null : await openContentIndex({ ledger, journal: journal.path, log });
  const uploads = earlierUploads({ destination, store, inodes, contents, pending, now, log });
  return (settle, folders) => ({
    recorded(id) {
      const known = ledger.find(id);
      return known?.code === 'changed' ? { ...known, changedInRow: changed.inARow(id, known.gen) } : known;
    },
    attached: attachments.attached,
    async settle(outcomes) {
      if (folders === null) return await settle(outcomes);
      const own = outcomes.map((outcome) => ({ id: outcome.id, job: outcome }));
      const assigned = await exclusive(async () => folders.assign(own));
      await settle(assigned.map(({ job }) => job));
    },
    uploads,
    isPending: pending.has,
    waitForRoom: pending.waitForRoom,
    exclusive,
    async enqueue(jobs) {
      const assigned = folders?.assign(jobs) ?? jobs;
      await attachments.keep(assigned);
      await queue.add(assigned);
      pending.add(assigned.map(({ jobId }) => jobId));
    },
  });
}
