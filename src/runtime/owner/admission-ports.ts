import type { AdmissionPorts } from '../../intake/ports.ts';
import type { Kept } from './keep-records.ts';
import type { Owned } from './own-source.ts';

/**
 * What admission asks of the queue and the ledger of one source.
 * @param isShared whether other processes serve it too (rule othersSingles)
 */
export function admissionPorts(
  { queue, pending, exclusive }: Owned,
  { memory, attachments, folders, recorder }: Kept,
  isShared: () => boolean,
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
      const order = queue.order(assigned, place, isShared());
      const singles = [...order.ahead, ...order.live, ...order.backlog];
      // Before they are there: whoever is quick has recorded one before this hears that it was added.
      pending.add(idsOf(singles), place);
      for (const { id, files } of order.carriers) pending.add(idsOf(files), place, id);
      try {
        await queue.add(order);
      } catch (error) {
        pending.withdraw(idsOf(assigned));
        throw error;
      }
    },
  };
}

function idsOf(jobs: readonly { readonly jobId: string }[]): string[] {
  return jobs.map(({ jobId }) => jobId);
}
