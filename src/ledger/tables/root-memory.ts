import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { Ledger } from '../ledger-port.ts';

export interface HeldRoot {
  readonly path: string;
  readonly identity: string;
}

/** Which folder held the files of a source the last time, in its ledger. */
export interface KeptRoot {
  /** null: none ever did under this path. */
  held(): string | null;
  remember(identity: string): void;
}

const KEY = 'held';

/** The folder itself, under whatever path; null: none ever held files. */
export function keptRootOf(ledger: Pick<Ledger, 'table'>): HeldRoot | null {
  return ledger.table<HeldRoot, string>('root')?.get(KEY) ?? null;
}

/** @param path of the source's folder: under another one, the folder before says nothing */
export function openKeptRoot(ledger: Ledger, path: string, log: Log): KeptRoot {
  const table = ledger.table<HeldRoot, string>('root');
  const kept = table?.get(KEY);
  let identity = kept?.path === path ? kept.identity : null;
  return {
    held: () => identity,
    remember(seen) {
      identity = seen;
      try {
        ledger.transact(() => table?.putSync(KEY, { path, identity: seen }));
      } catch (error) {
        // Intake goes on: until the next start this process remembers.
        log.debug({ reason: reasonOf(error) }, 'the identity of the folder could not be kept');
      }
    },
  };
}
