import type { Log } from '../../domain/log.ts';
import type { PendingJobs } from '../../intake/admit/pending-jobs.ts';
import type { AdmissionPorts } from '../../intake/ports.ts';
import type { SourceStore } from '../../ledger/store/source-store.ts';
import type { Exclusive } from '../../platform/waiting/mutex.ts';
import type { UploadQueue } from '../../queue/upload-queue.ts';
import type { FolderBatches } from '../../record/batches/folder-batches.ts';
import type { SourcePlan } from '../plans/source-plan.ts';
import type { Attachments } from './attachments.ts';
import { openIntakeMemory } from './intake-memory.ts';

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
  const memory = await openIntakeMemory({ plan, store, pending, now, log });
  return (settle, folders) => ({
    ...memory,
    attached: attachments.attached,
    async settle(outcomes) {
      if (folders === null) return await settle(outcomes);
      const own = outcomes.map((outcome) => ({ id: outcome.id, job: outcome }));
      const assigned = await exclusive(async () => folders.assign(own));
      await settle(assigned.map(({ job }) => job));
    },
    isPending: pending.has,
    waitForRoom: pending.waitForRoom,
    exclusive,
    async enqueue(jobs, place) {
      const assigned = folders?.assign(jobs) ?? jobs;
      await attachments.keep(assigned);
      await queue.add(assigned, place === 'front' ? 'ahead' : 'in line');
      pending.add(
        assigned.map(({ jobId }) => jobId),
        place,
      );
    },
  });
}
