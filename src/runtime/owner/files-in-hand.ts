import type { FileEnd } from '../../queue/own-books.ts';

/** By which kind of job a file is in hand. */
export type HeldBy = 'carrier' | 'single';

/** How many files are in hand. */
export interface HandCounts {
  /** They are sent, or wait for a permit. */
  readonly sending: number;
  /** Their outcomes are with the recorder. */
  readonly handedOver: number;
}

/** The files of a source that this process sends, or has sent and not yet recorded. */
export interface FilesInHand {
  /** null: it is not in hand. */
  by(jobId: string): HeldBy | null;
  /** Runs `work`, or joins the go that is under way. */
  share(jobId: string, by: HeldBy, work: () => Promise<FileEnd>): Promise<FileEnd>;
  /** Its outcome is with the recorder. */
  handedOver(jobId: string): void;
  counts(by: HeldBy): HandCounts;
}

interface Go {
  readonly by: HeldBy;
  readonly end: Promise<FileEnd>;
  stage: keyof HandCounts;
}

/** None. */
export function createFilesInHand(): FilesInHand {
  const goes = new Map<string, Go>();
  const counts = {
    carrier: { sending: 0, handedOver: 0 },
    single: { sending: 0, handedOver: 0 },
  };
  return {
    by: (jobId) => goes.get(jobId)?.by ?? null,
    counts: (by) => counts[by],
    share(jobId, by, work) {
      const running = goes.get(jobId);
      if (running !== undefined) return running.end;
      counts[by].sending += 1;
      const end = Promise.resolve()
        .then(work)
        .finally(() => {
          counts[by][go.stage] -= 1;
          goes.delete(jobId);
        });
      const go: Go = { by, end, stage: 'sending' };
      goes.set(jobId, go);
      return end;
    },
    handedOver(jobId) {
      const go = goes.get(jobId);
      if (go === undefined || go.stage === 'handedOver') return;
      counts[go.by].sending -= 1;
      counts[go.by].handedOver += 1;
      go.stage = 'handedOver';
    },
  };
}
