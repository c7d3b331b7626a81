import { stat } from 'node:fs/promises';

export type RootState = 'present' | 'missing';

export interface RootEvents {
  /** Deleted, unmounted, or not readable: what lay in it is not gone, only out of sight. */
  gone(): void;
  /** Another folder than the one before: it came back, was re-created or something was mounted over it. */
  appeared(): void;
}

/** Watches over the root folder itself; events within it stop without a word when it goes (measured for inotify). */
export interface RootGuard {
  state(): RootState;
  /** Looks now. Also done every `everyMs`. */
  check(): Promise<RootState>;
  stop(): void;
}

/**
 * Looks once, then every so often until stopped. `gone` and `appeared` are told of later changes only.
 * @param root absolute path
 */
export async function startRootGuard(root: string, everyMs: number, events: RootEvents): Promise<RootGuard> {
  let identity = await identityOf(root);
  let checking: Promise<RootState> | null = null;
  let stopped = false;

  const state = (): RootState => (identity === null ? 'missing' : 'present');

  async function look(): Promise<RootState> {
    const found = await identityOf(root);
    const before = identity;
    if (stopped || found === before) return state();
    identity = found;
    if (found === null) events.gone();
    else events.appeared();
    return state();
  }

  /** One look at a time: on a dead network mount a stat may hang for minutes. */
  function check(): Promise<RootState> {
    checking ??= look().finally(() => {
      checking = null;
    });
    return checking;
  }

  const timer = setInterval(() => void check(), everyMs).unref();
  return {
    state,
    check,
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}

/** Which folder this is: an inode number alone is used again by ext4 at once. null: no folder to be seen. */
async function identityOf(root: string): Promise<string | null> {
  const stats = await stat(root, { bigint: true }).catch(() => null);
  return stats?.isDirectory() ? `${stats.dev}:${stats.ino}:${stats.birthtimeNs}` : null;
}
