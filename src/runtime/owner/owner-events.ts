import type { BatchEnd } from '../../domain/batch.ts';
import type { SlipwayError } from '../../domain/errors.ts';
import type { Receipt } from '../../domain/receipt.ts';
import type { RecorderState } from '../../record/recorder-state.ts';

/** What happens to a source, told to whichever parts of its owner care. */
interface Events {
  /** After every commit, outside its transaction; `jobIds` are free again. */
  readonly recorded: { readonly receipts: readonly Receipt[]; readonly jobIds: readonly string[] };
  /** A batch has its one end, durable. */
  readonly batchEnded: BatchEnd;
  /** Receipts can, or cannot, be kept from now on. */
  readonly recording: RecorderState;
  /** So many jobs are not in Redis any more, and not recorded; 0: a comparison found none. */
  readonly jobsLost: number;
  /** Places and ids of lost jobs are free: whoever finds files looks for theirs. */
  readonly lostFreed: null;
  /** Another process works on this source now; nothing of it may go on here. */
  readonly lost: SlipwayError;
}

export interface OwnerEvents {
  /** Who asks later hears nothing of what was before; they hear in the order of asking. */
  on<Name extends keyof Events>(name: Name, hear: (event: Events[Name]) => void): void;
  /** @throws what the first of them threw, once all have heard */
  tell<Name extends keyof Events>(name: Name, event: Events[Name]): void;
}

type Ears = { readonly [Name in keyof Events]: ((event: Events[Name]) => void)[] };

/** Nobody listens yet. */
export function createOwnerEvents(): OwnerEvents {
  const ears: Ears = {
    recorded: [],
    batchEnded: [],
    recording: [],
    jobsLost: [],
    lostFreed: [],
    lost: [],
  };
  return {
    on(name, hear) {
      ears[name].push(hear);
    },
    tell(name, event) {
      const failures: unknown[] = [];
      for (const hear of ears[name]) {
        try {
          hear(event);
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
