import type { Log } from '../../domain/log.ts';
import { folderIdentityOf, isEmptyFolder } from '../../platform/files/folder-identity.ts';
import { createWaker } from '../../platform/waiting/waker.ts';
import { createRootCheck, type RootCheck } from '../../upload/root-check.ts';
import type { SourceOwner } from '../owner/source-owner.ts';
import type { SourcePlan } from '../plans/source-plan.ts';
import { type RootQuestionOptions, rootQuestion } from './root-question.ts';

/** How soon a disk that is mounted again is seen. */
const LOOK_EVERY_MS = 2_000;

/** The question whether a folder is there, whose no ends the taking of its files. */
export interface RootWatch extends RootCheck {
  close(): void;
}

export interface RootWatchOptions {
  readonly check: RootCheck;
  readonly source: string;
  /** Absolute path. */
  readonly root: string;
  /** Whether files may be taken. */
  readonly set: (holds: boolean) => void;
  /** After so many files are tried again whatever it sees, so that whoever counts failures has one. */
  readonly maxLooks: number;
  readonly log: Log;
}

/**
 * A worker that does not see a folder opens no queue of it (contract §4): beside others that see it, it would take file
 * after file only to send none. From the first no until a yes it takes no more, and looks every so often.
 */
export function rootWatch(options: RootWatchOptions): RootWatch {
  const { check, source, root, set, maxLooks, log } = options;
  const waker = createWaker();
  let isShut = false;
  /** What was said last. */
  let wasThere = true;
  let closed = false;

  async function untilThere(): Promise<boolean> {
    for (let fileStats = 0; fileStats < maxLooks; fileStats += 1) {
      await waker.sleep(LOOK_EVERY_MS);
      if (closed || (await check.present())) return true;
      log.debug({ source }, 'the folder is still not there');
    }
    return false;
  }

  async function shut(): Promise<void> {
    isShut = true;
    set(false);
    if (wasThere) {
      log.warn(
        { source, path: root },
        `no files of source ${source} are taken here: ${root} is gone, or empty as when a disk is not mounted`,
      );
    }
    wasThere = await untilThere();
    isShut = false;
    if (closed) return;
    if (wasThere) log.info({ source }, `opened the queue of source ${source} again: ${root} is there`);
    set(true);
  }

  return {
    async present() {
      const there = await check.present();
      if (!there && !isShut && !closed) void shut();
      return there;
    },
    close() {
      closed = true;
      waker.wake();
    },
  };
}

export interface RootElsewhereOptions
  extends Omit<RootQuestionOptions, 'source'>,
    Pick<RootWatchOptions, 'set' | 'maxLooks'> {
  /** What the owner knew when it started this process; null: nothing, or nobody told. */
  readonly told: string | null;
}

/**
 * For the uploads of one source. A folder that is empty when the process starts may be a mount point: it is not taken
 * for the source's own before something was seen in it, or its owner knows it.
 * @param owner when it is this process: its intake stops by itself, and its jobs are to end
 * @param elsewhere used where it is not
 */
export async function rootCheckOf(
  { name: source, root }: Pick<SourcePlan, 'name' | 'root'>,
  owner: Pick<SourceOwner, 'rootHeld'> | undefined,
  elsewhere: RootElsewhereOptions,
): Promise<RootWatch> {
  const found = await folderIdentityOf(root);
  const seen = found === null || (await isEmptyFolder(root)) ? null : found;
  if (owner !== undefined) {
    const known = { held: owner.rootHeld, emptied: async () => false };
    return { ...createRootCheck(root, known, seen), close() {} };
  }
  const known = { held: () => elsewhere.told, emptied: rootQuestion({ ...elsewhere, source }) };
  return rootWatch({ ...elsewhere, source, root, check: createRootCheck(root, known, seen) });
}
