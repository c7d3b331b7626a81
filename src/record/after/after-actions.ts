import type { AfterActions } from '../../domain/after-action.ts';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { StoredIntent } from '../../ledger/tables/intent-table.ts';
import { settleRealRoot } from '../../platform/files/real-root.ts';
import { createWaker } from '../../platform/waiting/waker.ts';
import { type ActionStep, createPageActor } from './act-on-page.ts';
import type { HeldFolders } from './held-folders.ts';
import { deviceOf } from './set-aside.ts';
import { createSidecars } from './sidecars.ts';

export type { ActionStep } from './act-on-page.ts';

export interface AfterActionOptions extends AfterActions {
  /** Absolute path of the source's folder. */
  readonly root: string;
  readonly ledger: Ledger;
  /** Path of the manifest's journal: receipts are written beside files from it. */
  readonly journal: string;
  readonly log: Log;
  /** The fault harness kills here; does nothing in the product. */
  readonly failpoint?: (step: ActionStep) => void | Promise<void>;
  /** After a failure, and while the folder is gone, it is tried again this much later. */
  readonly retryMs?: number;
}

/** Does with the files of one source what is to be done after their receipts, and nothing else (G4). */
export interface AfterActionRunner {
  /** There may be something new. */
  wake(): void;
  /** Resolves when everything stored before has been done, or cannot be done now, or the runner is stopped. */
  settled(): Promise<void>;
  /** Ends after the files in hand; the rest is done at the next start. */
  stop(): Promise<void>;
}

/** Files in hand at once; two transactions, and one look at who writes, serve them all. */
const PAGE = 256;
const RETRY_MS = 60_000;
/** How long a writer may take before it is looked at again. */
const WRITER_MS = 5_000;
/** Nothing to do: until somebody wakes it. A Node timer must end some time. */
const LONG_MS = 3_600_000;
const NOTHING = (): void => {};

// Over 80 lines: one loop and the five values it goes by (where it is, what failed, when it tries again); each step is a few lines over them.
/** Starts with what an earlier process left unfinished. */
export function startAfterActions(options: AfterActionOptions): AfterActionRunner {
  const { root, ledger, log, failpoint = NOTHING, retryMs = RETRY_MS } = options;
  // A link that takes the place of one of these from now on is not followed.
  for (const action of [options.onSuccess, options.onFailure])
    if (typeof action === 'object') settleRealRoot(action.moveTo);
  const sidecars = createSidecars(options);
  const signal = createWaker();
  const waiters = new Set<() => void>();
  let stopping = false;
  let cursor = 0;
  let failures = 0;
  let toldOfWriters = false;
  let retryAtMs = Number.POSITIVE_INFINITY;
  const act = createPageActor({ ...options, failpoint, sidecars, failed, later, beingWritten });

  async function failed({ intent }: StoredIntent, folders: HeldFolders, error: unknown): Promise<void> {
    failures += 1;
    later();
    await folders
      .putBack(intent)
      .catch((reason: unknown) =>
        log.error(
          { path: intent.path, reason: reasonOf(reason) },
          'a file could not be given its name back yet',
        ),
      );
    // Once per round: a target that is full or read-only fails for every file.
    if (failures > 1) return;
    const facts = { path: intent.path, action: intent.action, reason: reasonOf(error) };
    log.warn(
      facts,
      'a file could not be moved or deleted after its upload; it stays, and is tried again later',
    );
  }

  function later(afterMs = retryMs): void {
    retryAtMs = Math.min(retryAtMs, performance.now() + afterMs);
  }

  /** Whoever wrote to it meanwhile has made another version of it; else it is this one's turn once it is closed. */
  function beingWritten(path: string): void {
    if (!toldOfWriters)
      log.info({ path }, 'a file is still open for writing elsewhere; what follows its upload waits');
    toldOfWriters = true;
    later(Math.min(retryMs, WRITER_MS));
  }

  async function run(): Promise<void> {
    while (!stopping) {
      try {
        await turn();
      } catch (error) {
        log.warn({ reason: reasonOf(error) }, 'what follows an upload cannot be written down; trying again');
        await signal.sleep(Math.min(retryMs, 1_000));
      }
    }
    tellWaiters();
  }

  async function turn(): Promise<void> {
    if (performance.now() >= retryAtMs) startOver();
    const page = ledger.intents.take(cursor, PAGE);
    if (page.length === 0) {
      tellWaiters();
      return await signal.sleep(Math.min(Math.max(0, retryAtMs - performance.now()), LONG_MS));
    }
    const device = await deviceOf(root);
    if (device !== null && (await act(page, device))) {
      cursor = page.at(-1)?.key ?? cursor;
      return;
    }
    tellWaiters();
    await signal.sleep(retryMs);
  }

  function startOver(): void {
    cursor = 0;
    failures = 0;
    sidecars.tryAgain();
    retryAtMs = Number.POSITIVE_INFINITY;
  }

  function tellWaiters(): void {
    for (const tell of waiters) tell();
    waiters.clear();
  }

  const running = run();
  return {
    wake: signal.wake,
    async settled() {
      if (stopping) return;
      await new Promise<void>((resolve) => {
        waiters.add(resolve);
        signal.wake();
      });
    },
    async stop() {
      stopping = true;
      signal.wake();
      await running;
    },
  };
}
