import { jobIdOf } from '../../domain/upload-job.ts';
import type { OwnBooks } from '../../queue/own-books.ts';
import type { Kept } from './keep-records.ts';
import type { Owned } from './own-source.ts';
import type { OwnerEvents } from './owner-events.ts';

/** What the owner knows, for the workers of its own process. Outcomes go to the recorder in memory (contract §4). */
export function booksOf(owned: Owned, { recorder }: Pick<Kept, 'recorder'>, events: OwnerEvents): OwnBooks {
  const { queue, pending, inHand, exclusive, store } = owned;
  let freed: string[] = [];

  return {
    isRecorded(jobId) {
      const [id = '', gen = ''] = jobId.split('-');
      const known = store.ledger.find(id);
      return known !== null && jobId === jobIdOf(id, Number(gen)) && known.gen >= Number(gen);
    },
    isSingle: (jobId) => pending.has(jobId) && pending.carrierOf(jobId) === null,
    share: inHand.share,
    handOver(outcome) {
      inHand.handedOver(jobIdOf(outcome.id, outcome.gen));
      return recorder.settle([outcome]);
    },
    async becomeSingle(file, kind, when) {
      await exclusive(async () => {
        // Known before it is there: a comparison that comes between would miss neither.
        pending.add([file.jobId]);
        pending.becomeSingle(file.jobId);
        await queue.addSingle(file, kind, when);
      });
    },
    freed(jobId) {
      freed.push(jobId);
      if (freed.length > 1) return;
      setImmediate(() => {
        const jobIds = freed.filter((id) => !pending.has(id) || pending.carrierOf(id) === null);
        freed = [];
        events.tell('recorded', { receipts: [], jobIds });
      });
    },
  };
}
