import { unlink } from 'node:fs/promises';
import type { AfterActions } from '../../domain/after-action.ts';
import { type Intent, isWanted } from '../../ledger/intent.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { type IntentEnd, markOf, type StoredIntent } from '../../ledger/tables/intent-table.ts';
import { pathIn } from '../../platform/files/exact-folder.ts';
import { openForWriting } from '../../platform/process/open-for-writing.ts';
import { createHeldFolders, type HeldFolders } from './held-folders.ts';
import { type MoveStep, moveInto, removeCopy } from './move-file.ts';
import { deviceOf, pathsOf, setAside, undoAside } from './set-aside.ts';
import { placeOfMoved, type Sidecars } from './sidecars.ts';

/** What has just been done when the fault harness may strike. */
export type ActionStep = 'aside' | 'acting' | MoveStep | 'acted' | 'ended';

export interface PageActorOptions extends AfterActions {
  /** Absolute path of the source's folder. */
  readonly root: string;
  readonly ledger: Ledger;
  readonly sidecars: Sidecars;
  readonly failpoint: (step: ActionStep) => void | Promise<void>;
  /** Told of a file with which something could not be done; gives it its name back. */
  readonly failed: (stored: StoredIntent, folders: HeldFolders, error: unknown) => Promise<void>;
  /** Something is left that is to be tried again. */
  readonly later: () => void;
  /** Another process has this file open for writing; it is to be tried again. */
  readonly beingWritten: (path: string) => void;
}

/** An intent with whose file nothing more is to be done. */
interface Done {
  readonly stored: StoredIntent;
  readonly acted: IntentEnd['acted'];
  /** Where the file lies since it was moved; null: where it lay, if it is still there. */
  readonly placed: Buffer | null;
}

/** One whose file lies aside; `file`: which it is. */
interface Taken extends StoredIntent {
  readonly file: string;
}

/** The thread pool is shared with the reads of uploads. */
const IN_FLIGHT = 8;
const GONE = { kind: 'gone' } as const;

/** Does what is to be done with some files at once. */
export type PageActor = (page: readonly StoredIntent[], device: number) => Promise<boolean>;

// Over 80 lines: the acts of one page share what they are given, and are read from top to bottom.
/** @returns a function that does all of a page; false: the folder of the source went away, nothing is concluded */
export function createPageActor(options: PageActorOptions): PageActor {
  const { root, ledger, sidecars, failpoint, failed, later, beingWritten } = options;

  /**
   * The story of a page: take the files aside, write down that it is about to happen, do it, write the receipts beside
   * them, write down that it did.
   * @returns false: the folder went away meanwhile, so that nothing can be said of files that are gone
   */
  async function act(page: readonly StoredIntent[], device: number): Promise<boolean> {
    const folders = createHeldFolders();
    try {
      const done: Done[] = [];
      const taken: Taken[] = [];
      await eachOf(page, folders, async (stored) => {
        const end = await take(stored, folders);
        if ('file' in end) taken.push(end);
        else done.push(end);
      });
      await failpoint('aside');
      if ((await deviceOf(root)) !== device) {
        await eachOf(taken, folders, ({ intent }) => folders.putBack(intent));
        return false;
      }
      const ready = await closedAmong(taken, folders);
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
  async function take(stored: StoredIntent, folders: HeldFolders): Promise<Taken | Done> {
    const { intent, acting } = stored;
    if (intent.action === 'keep') return { stored, acted: null, placed: placedOf(intent) };
    const folder = await folders.of(intent);
    // Its folder was moved away and a link left in its place: what lies there now is not ours to judge.
    if (folder === 'linked') return { stored, acted: null, placed: null };
    const aside =
      folder === 'missing' ? GONE : await (isDue(intent) ? setAside : undoAside)(intent, folder.at);
    if (aside.kind === 'ready') return { ...stored, file: aside.file };
    if (acting && typeof intent.action === 'object') await removeCopy(intent.action.moveTo, intent);
    // Gone although nobody was about to act: the user took it. Gone while acting: that was us, before a crash.
    return aside.kind === 'gone' && acting
      ? { stored, acted: markOf(intent), placed: await placeOfMoved(intent) }
      : { stored, acted: null, placed: null };
  }

  /**
   * Those that nobody has open for writing (G4). Asked once they are aside: nobody opens them by their names any more.
   * The others get their names back, and their turn later.
   */
  async function closedAmong(taken: readonly Taken[], folders: HeldFolders): Promise<StoredIntent[]> {
    const open = await openForWriting(new Set(taken.map(({ file }) => file)));
    const ready: StoredIntent[] = [];
    await eachOf(taken, folders, async ({ file, ...stored }) => {
      if (!open.has(file)) return void ready.push(stored);
      await folders.putBack(stored.intent);
      beingWritten(stored.intent.path);
    });
    return ready;
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
    if (intent.sidecar === true && !wanted) await sidecars.forget(intent, placed);
    if (!wanted || (await sidecars.write(intent, placed)) === 'done') return { key, acted };
    later();
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

  return act;
}

function placedOf({ placed }: Intent): Buffer | null {
  return placed === undefined ? null : Buffer.from(placed, 'base64');
}
