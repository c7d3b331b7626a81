import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { Ledger } from '../ledger.ts';
import { grantWishes } from './wishes.ts';

/** Soon enough for somebody who has just asked; a look at an empty folder costs next to nothing. */
const LOOK_EVERY_MS = 1_000;

/**
 * Grants the wishes of other processes for as long as this one owns the source; those left before are granted when this
 * resolves.
 * @param options.onGranted told when files are to be looked for again
 */
export async function watchWishes(options: {
  readonly dataDir: string;
  readonly source: string;
  readonly ledger: Ledger;
  readonly journal: string;
  readonly onGranted: () => void;
  readonly log: Log;
}): Promise<{ close(): Promise<void> }> {
  const { source, log } = options;
  let looking: Promise<void> | null = null;

  async function look(): Promise<void> {
    try {
      const versions = await grantWishes(options);
      if (versions === 0) return;
      log.info({ source, versions }, 'asked to send files again');
      options.onGranted();
    } catch (error) {
      log.warn({ source, reason: reasonOf(error) }, 'a wish to send again cannot be granted yet');
    }
  }

  await look();
  const timer = setInterval(() => {
    looking ??= look().finally(() => {
      looking = null;
    });
  }, LOOK_EVERY_MS);
  return {
    async close() {
      clearInterval(timer);
      await looking;
    },
  };
}
