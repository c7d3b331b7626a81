/*
 * The root of a source
 *
 * A folder without its files is either an empty folder or a disk that is not there, and the two are opposites: after the
 * first its files are gone, after the second none is. So nothing is concluded from a missing file before its root is known.
 *
 *                        the path is gone
 *     ┌─────────┐ ───────────────────────────────────────────────▶ ┌─────────┐
 *     │ present │ ◀─────────────────────────────────────────────── │ missing │
 *     └─────────┘         a folder with files in it, or the one    └─────────┘
 *       │     ▲           that held files before                        │ an empty folder stands there that is not
 *       │     │                                                         ▼ the one that held files
 *       │     └─────────────────────────────────────────────────── ┌───────────┐
 *       └────────────────────────────────────────────────────────▶ │ unmounted │
 *          another folder than before, and nothing in it           └───────────┘
 *
 * - A folder's identity is device, inode and birth time. Which one held files is remembered in the ledger
 *   (ledger/tables/root-memory.ts), under its path, since a process may start on an empty mount point.
 * - The folder that is in use may be emptied by whoever likes: only another, empty one raises the question. A mount
 *   point in which something lies cannot be told from the folder (docs/guarantees.md).
 * - `gone`: the watcher says `root` is out of sight, takes nothing as vanished, and keeps looking. `appeared` (another folder that
 *   counts): everything is watched and scanned anew.
 * - Uploads ask by themselves (upload/root-check.ts), since they may run on another host: a file that cannot be opened is
 *   `vanished` only where the root is present. A worker that sees an empty folder it does not know asks the owner, who
 *   does (runtime/worker/root-question.ts), and takes no more of its files until the answer is yes or something
 *   lies in it (runtime/worker/root-watch.ts).
 * - A batch holds the identity it was asked for (intake/batch/batch-root.ts), so that nothing is taken from an empty mount point
 *   by whoever carries it out.
 */

import { folderIdentityOf, isEmptyFolder } from '../../platform/files/folder-identity.ts';

/**
 * - `missing`: deleted, unmounted, or not to be seen
 * - `unmounted`: a folder is there, but not the one that held files before, and nothing lies in it: the empty mount
 *   point of a disk that is not mounted looks exactly so
 */
export type RootState = 'present' | 'missing' | 'unmounted';

export interface RootEvents {
  /** What lay in it is not gone, only out of sight. */
  gone(state: Exclude<RootState, 'present'>): void;
  /** Another folder than the one before: it came back, was re-created or something was mounted over it. */
  appeared(): void;
}

/** Which folder held files the last time, kept durably: a process that starts on an empty mount point must know. */
export interface RootMemory {
  /** null: no folder ever did. */
  held(): string | null;
  remember(identity: string): void;
}

/** Watches over the root folder itself; events within it stop without a word when it goes (measured for inotify). */
export interface RootGuard {
  state(): RootState;
  /** Looks now. Also done every `everyMs`. */
  check(): Promise<RootState>;
  /** A file was seen in it. */
  holdsFiles(): void;
  stop(): void;
}

interface Seen {
  readonly state: RootState;
  /** Of the folder that counts as the root; null when none does. */
  readonly identity: string | null;
}

/**
 * Looks once, then every so often until stopped. `gone` and `appeared` are told of later changes only.
 * @param root absolute path
 */
export async function startRootGuard(
  root: string,
  everyMs: number,
  memory: RootMemory,
  events: RootEvents,
): Promise<RootGuard> {
  let seen = await look();
  let checking: Promise<RootState> | null = null;
  let stopped = false;

  async function look(before: Seen | null = null): Promise<Seen> {
    const identity = await folderIdentityOf(root);
    if (identity === null) return { state: 'missing', identity };
    const held = memory.held();
    // The folder that is in use already may be emptied by whoever likes; only another one raises the question.
    const another = identity !== before?.identity && held !== null && held !== identity;
    return another && (await isEmptyFolder(root))
      ? { state: 'unmounted', identity: null }
      : { state: 'present', identity };
  }

  async function compare(): Promise<RootState> {
    const before = seen;
    const found = await look(before);
    if (stopped) return before.state;
    seen = found;
    if (found.state === 'present') {
      if (found.identity !== before.identity) events.appeared();
    } else if (found.state !== before.state) events.gone(found.state);
    return found.state;
  }

  /** One look at a time: on a dead network mount a stat may hang for minutes. */
  function check(): Promise<RootState> {
    checking ??= compare().finally(() => {
      checking = null;
    });
    return checking;
  }

  const timer = setInterval(() => void check(), everyMs).unref();
  return {
    state: () => seen.state,
    check,
    holdsFiles() {
      if (seen.identity !== null && seen.identity !== memory.held()) memory.remember(seen.identity);
    },
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}

/** Remembers while the process lives. */
export function forgetfulRootMemory(): RootMemory {
  let identity: string | null = null;
  return {
    held: () => identity,
    remember(seen) {
      identity = seen;
    },
  };
}
