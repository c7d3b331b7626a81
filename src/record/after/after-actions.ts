import { unlink } from 'node:fs/promises';
import type { AfterActions } from '../../domain/after-action.ts';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { type Intent, isWanted } from '../../ledger/intent.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { type IntentEnd, markOf, type StoredIntent } from '../../ledger/tables/intent-table.ts';
import { pathIn } from '../../platform/files/exact-folder.ts';
import { settleRealRoot } from '../../platform/files/real-root.ts';
import { createWaker } from '../../platform/waiting/waker.ts';
import { createHeldFolders, type HeldFolders } from './held-folders.ts';
import { type MoveStep, moveInto } from './move-file.ts';
import { deviceOf, pathsOf, setAside, undoAside } from './set-aside.ts';
import { createSidecars, placeOfMoved } from './sidecars.ts';

/** What has just been done when the fault harness may strike. */
export type ActionStep = 'aside' | 'acting' | MoveStep | 'acted' | 'ended';

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

/** An intent with whose file nothing more is to be done. */
interface Done {
  readonly stored: StoredIntent;
  readonly acted: IntentEnd['acted'];
  /** Where the file lies since it was moved; null: where it lay, if it is still there. */
  readonly placed: Buffer | null;
}

/** Files in hand at once; two transactions serve them all. */
const PAGE = 64;
/** The thread pool is shared with the reads of uploads. */
const IN_FLIGHT = 8;
const RETRY_MS = 60_000;
/** Nothing to do: until somebody wakes it. A Node timer must end some time. */
const LONG_MS = 3_600_000;
const NOTHING = (): void => {};
const GONE = { kind: 'gone' } as const;

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
  let retryAtMs = Number.POSITIVE_INFINITY;

  /**
   * The story of a page: take the files aside, write down that it is about to happen, do it, write the receipts beside
   * them, write down that it did.
   * @returns false: the folder went away meanwhile, so that nothing can be said of files that are gone
   */
  async function act(page: readonly StoredIntent[], device: number): Promise<boolean> {
    const folders = createHeldFolders();
    try {
      const done: Done[] = [];
      const ready: StoredIntent[] = [];
      await eachOf(page, folders, async (stored) => {
        const aside = await taken(stored, folders);
        if (aside === 'ready') ready.push(stored);
        else done.push(aside);
      });
      await failpoint('aside');
      if ((await deviceOf(root)) !== device) {
        await eachOf(ready, folders, ({ intent }) => folders.putBack(intent));
        return false;
      }
      if (ready.length > 0) ledger.intents.markActing(ready);
      await failpoint('acting');
      await eachOf(ready, folders, async (stored) => {
        done.push(await perform(stored, folders));
        await failpoint('acted');
      });
      const ends: IntentEnd[] = [];
      await eachOf(done, folders, async (one) => {
        const end = await endOf(one);
        if (end !== null) ends.push(end);
      });
      await sidecars.synced();
      if (ends.length > 0) ledger.intents.end(ends);
      await failpoint('ended');
      return true;
    } finally {
      await folders.close();
    }
  }

  /** Out of everybody's way; or what there is to say of a file with which nothing is to be done, or can be. */
  async function taken(stored: StoredIntent, folders: HeldFolders): Promise<'ready' | Done> {
    const { intent, acting } = stored;
    if (intent.action === 'keep') return { stored, acted: null, placed: placedOf(intent) };
    const folder = await folders.of(intent);
    // Its folder was moved away and a link left in its place: what lies there now is not ours to judge.
    if (folder === 'linked') return { stored, acted: null, placed: null };
    const aside =
      folder === 'missing' ? GONE : await (isDue(intent) ? setAside : undoAside)(intent, folder.at);
    if (aside.kind === 'ready') return 'ready';
    // Gone although nobody was about to act: the user took it. Gone while acting: that was us, before a crash.
    return aside.kind === 'gone' && acting
      ? { stored, acted: markOf(intent), placed: await placeOfMoved(intent) }
      : { stored, acted: null, placed: null };
  }

  /** The source still wants it, and the version has not been asked for again meanwhile. */
  function isDue(intent: Intent): boolean {
    const known = ledger.find(intent.id);
    return isWanted(intent, options) && known !== null && known.gen === intent.gen && !known.again;
  }

  async function perform(stored: StoredIntent, folders: HeldFolders): Promise<Done> {
    const { intent } = stored;
    const folder = await folders.of(intent);
    if (typeof folder === 'string' || !(await folders.isInPlace(intent))) {
      await folders.putBack(intent);
      return { stored, acted: null, placed: null };
    }
    const aside = pathIn(folder.at, pathsOf(intent).aside);
    const placed =
      typeof intent.action === 'object'
        ? await moveInto(intent.action.moveTo, intent, aside, failpoint)
        : await unlink(aside).then(() => null);
    return { stored, acted: markOf(intent), placed };
  }

  /** Once its receipt lies beside it, where the source wants that. @returns null: everything is still to be done */
  async function endOf({ stored: { key, intent }, acted, placed }: Done): Promise<IntentEnd | null> {
    const wanted = intent.sidecar === true && options.sidecar === true && intent.root === root;
    if (!wanted || (await sidecars.write(intent, placed)) === 'done') return { key, acted };
    retryAtMs = Math.min(retryAtMs, performance.now() + retryMs);
    if (intent.action === 'keep') return null;
    const rest: Intent = { ...intent, action: 'keep' };
    return { key, acted, rest: placed === null ? rest : { ...rest, placed: placed.toString('base64') } };
  }

  /** One file that cannot be moved stays where it was and holds up no other (G7). */
  async function eachOf<Item extends StoredIntent | Done>(
    page: readonly Item[],
    folders: HeldFolders,
    work: (item: Item) => Promise<void>,
  ): Promise<void> {
    for (let start = 0; start < page.length; start += IN_FLIGHT) {
      await Promise.all(
        page
          .slice(start, start + IN_FLIGHT)
          .map((item) =>
            work(item).catch((error) => failed('stored' in item ? item.stored : item, folders, error)),
          ),
      );
    }
  }

  async function failed({ intent }: StoredIntent, folders: HeldFolders, error: unknown): Promise<void> {
    failures += 1;
    retryAtMs = Math.min(retryAtMs, performance.now() + retryMs);
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

function placedOf({ placed }: Intent): Buffer | null {
  return placed === undefined ? null : Buffer.from(placed, 'base64');
}
