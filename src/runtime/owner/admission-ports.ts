import type { AdmissionPorts } from '../../intake/ports.ts';
import type { Kept } from './keep-records.ts';
import type { Owned } from './own-source.ts';

/** What admission asks of the queue and the ledger of one source. */
export function admissionPorts(
  { queue, pending, exclusive }: Owned,
  { memory, attachments, folders, recorder }: Kept,
): AdmissionPorts {
  return {
    ...memory,
    attached: attachments.attached,
    async settle(outcomes) {
      if (folders === null) return await recorder.settle(outcomes);
      const own = outcomes.map((outcome) => ({ id: outcome.id, job: outcome }));
      const assigned = await exclusive(async () => folders.assign(own));
      await recorder.settle(assigned.map(({ job }) => job));
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
  };
}
