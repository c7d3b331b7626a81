import { setTimeout as sleep } from 'node:timers/promises';
import { type BatchProgress, emptyProgress } from '../../domain/batch-progress.ts';
import type { BatchSpec } from '../../domain/batch-source.ts';
import { SlipwayError } from '../../domain/errors.ts';
import type { LiveReport } from '../../domain/live-report.ts';
import type { OnceEnd } from '../../runtime/once-end.ts';
import { type Run, type RunFacts, startRun } from '../../runtime/run.ts';
import { handToOwners } from './owner-links.ts';

/** A batch under way, whoever works on it. */
export interface Ingest {
  /** One for each source. */
  progress(): readonly BatchProgress[];
  /** Of this process's own work; null: owners in other processes do all of it. */
  report(): Promise<LiveReport | null>;
  /** Why results cannot be recorded; null when all is well. */
  failure(): SlipwayError | null;
  /** Resolves when this process cannot go on. */
  readonly dead: Promise<void>;
  /** Sources that a running process works on: they are finished there. */
  readonly handedOver: readonly string[];
  /** Until every part has ended, or is given up. */
  once(giveUpMs: number, signal: AbortSignal): Promise<OnceEnd[]>;
  stop(budgetMs: number): Promise<boolean>;
  cutShort(): void;
}

/** Whoever becomes the owner of a source at the same moment takes the batch over once it hears others. */
const HAND_OVER_MS = 20_000;
const RETRY_MS = 250;

/**
 * Sends a batch: what live owners can do is theirs → become the owner of the rest. What it is has been written down
 * before, so it can be gone on with, whatever happens.
 * @param open what a run needs; asked anew where another process became the owner first
 * @throws SlipwayError what starting a run throws, `owner_…`
 */
export async function startIngest(spec: BatchSpec, open: () => Omit<RunFacts, 'batches'>): Promise<Ingest> {
  const beganMs = performance.now();
  for (;;) {
    try {
      return await begin(spec, open());
    } catch (error) {
      const isTaken = error instanceof SlipwayError && error.code === 'source_owned';
      if (!isTaken || performance.now() - beganMs > HAND_OVER_MS) throw error;
      await sleep(RETRY_MS);
    }
  }
}

async function begin(spec: BatchSpec, options: Omit<RunFacts, 'batches'>): Promise<Ingest> {
  const { dataDir, redis, log } = options;
  const handed = await handToOwners(spec.parts, { dataDir, redis, log });
  const own = spec.parts.filter((part) => !handed.parts.includes(part));
  let run: Run | null = null;
  if (own.length > 0) {
    const plans = options.plans.filter(({ name }) => own.some(({ source }) => source === name));
    run = await startRun({ ...options, plans, batches: own }).catch((error: unknown) => {
      handed.close();
      throw error;
    });
  }

  return {
    progress() {
      const known = run?.batch(spec.batch) ?? [];
      const mine = own.map(
        (part) => known.find(({ source }) => source === part.source) ?? emptyProgress(part),
      );
      return [...mine, ...handed.progress()];
    },
    report: async () => (await run?.report()) ?? null,
    failure: () => run?.failure() ?? null,
    dead: run?.dead ?? new Promise(() => undefined),
    handedOver: handed.parts.map(({ source }) => source),
    async once(giveUpMs, signal) {
      const [mine, theirs] = await Promise.all([
        run?.once(giveUpMs, signal) ?? [],
        handed.once(giveUpMs, signal),
      ]);
      return [...mine, ...theirs];
    },
    async stop(budgetMs) {
      handed.close();
      if (run === null) await options.http.close();
      return (await run?.stop(budgetMs)) ?? true;
    },
    cutShort: () => run?.cutShort(),
  };
}
