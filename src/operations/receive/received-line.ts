import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { GATEWAY_SOURCE, receivedIdIn, receivedQueue } from '../../domain/received-source.ts';
import type { QueuedUpload } from '../../domain/upload-step.ts';
import type { AcceptedFile } from '../../ledger/tables/accepted-files.ts';
import { acceptedFolder } from '../../runtime/owner/received-failures.ts';
import { adHocPlanOf } from '../../runtime/plans/source-plans.ts';
import { type Run, type RunFacts, startRun } from '../../runtime/run.ts';
import type { DestinationTraffic } from '../../traffic/destination-traffic.ts';
import type { OwnUpload } from '../../upload/job/upload-handler.ts';
import type { Acceptance } from './acceptance.ts';
import type { ReceivedBook } from './received-book.ts';
import { startReceivedOwner } from './received-owner.ts';

/** Works off accepted files, from the first one on. */
export interface ReceivedLine {
  /**
   * Resolves when somebody works on them.
   * @throws SlipwayError why nobody can: Redis is not to be had, another process has the source
   */
  open(): Promise<void>;
  /** What looks after a destination since it is open; null: it is not. */
  traffic(destination: string): DestinationTraffic | null;
  /** Why receipts cannot be kept, or who else works on them; null: all is well, or it is not open. */
  failure(): string | null;
  isOpen(): boolean;
  /** The live report; null: it is not open. */
  report(): ReturnType<Run['report']> | null;
  /** @returns whether every upload under way could finish within the budget */
  stop(budgetMs: number): Promise<boolean>;
  cutShort(): void;
}

export interface ReceivedLineOptions {
  readonly book: ReceivedBook;
  readonly acceptance: Acceptance;
  readonly dataDir: string;
  /** Names. */
  readonly destinations: readonly string[];
  /** How one of them is sent: its destination with the text fields of this file. */
  readonly sending: (file: AcceptedFile) => Pick<OwnUpload, 'destination'>;
  /** A run of plans, as the configuration wants it; made anew for every start. */
  readonly composed: (plans: RunFacts['plans']) => Omit<RunFacts, 'ownPaths' | 'onReceipts'>;
  /** Told of what was recorded of its files. */
  readonly onReceipts: RunFacts['onReceipts'];
  readonly log: Log;
}

/** What was accepted before a start is gone on with at once, and tried again this often while it cannot. */
const AGAIN_MS = 5_000;

/** Not open, unless files wait. */
export function createReceivedLine(options: ReceivedLineOptions): ReceivedLine {
  const { book, log } = options;
  let opening: Promise<Run> | null = null;
  let run: Run | null = null;
  let stopped = false;
  let timer: NodeJS.Timeout | null = null;

  async function open(): Promise<void> {
    if (stopped) throw new Error('the gateway closes');
    opening ??= start(options);
    try {
      run = await opening;
    } catch (error) {
      opening = null;
      throw error;
    }
  }

  function goOn(): void {
    if (stopped || run !== null) return;
    open().catch((error: unknown) => {
      log.warn({ reason: reasonOf(error) }, 'files that were accepted cannot be sent yet');
      timer = setTimeout(goOn, AGAIN_MS);
      timer.unref();
    });
  }

  if (book.accepted.after(null, 1).length > 0) goOn();
  options.acceptance.onAccepted(goOn);

  return {
    open,
    isOpen: () => run !== null,
    traffic: (destination) => run?.traffic(destination) ?? null,
    failure: () => run?.failure()?.message ?? null,
    report: () => run?.report() ?? null,
    async stop(budgetMs) {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      const started = await opening?.catch(() => null);
      return (await started?.stop(budgetMs)) ?? true;
    },
    cutShort: () => run?.cutShort(),
  };
}

async function start(options: ReceivedLineOptions): Promise<Run> {
  const { book, acceptance, dataDir, destinations, composed } = options;
  const plans = destinations.map((destination) => ({
    ...adHocPlanOf(GATEWAY_SOURCE, acceptedFolder(dataDir), destination, book.owned.manifest),
    queue: receivedQueue(destination),
  }));
  // Every upload is of this process: others know nothing of how these files are sent.
  const { pool: _, ...facts } = composed(plans);
  return await startRun({
    ...facts,
    ownPaths: [],
    onReceipts: options.onReceipts,
    received: {
      startOwner: (owner) => startReceivedOwner({ ...owner, book, acceptance, destinations }),
      ownUpload: (upload) => ownUpload(upload, options),
    },
  });
}

function ownUpload({ job }: QueuedUpload, { book, sending }: ReceivedLineOptions): OwnUpload | null {
  const file = book.accepted.find(receivedIdIn(job.path) ?? '');
  if (file === null) return null;
  const { id, sha256, contentType } = file;
  return {
    task: {
      at: { path: id },
      sha256,
      // Nobody mounts it: what is not there is gone.
      rootCheck: { present: async () => true },
      ...(contentType === null ? {} : { contentTypeOverride: contentType }),
    },
    ...sending(file),
  };
}
