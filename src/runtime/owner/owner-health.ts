import type { SlipwayError } from '../../domain/errors.ts';
import type { OwnerEvents } from './owner-events.ts';

/** Whether the owner of a source can go on. */
export interface OwnerHealth {
  /** Why receipts cannot be kept, or whose source it is now; null when all is well. */
  failure(): SlipwayError | null;
  /** Resolves when this source cannot go on in this process. */
  readonly dead: Promise<void>;
  /** The same work, which rejects once the source is somebody else's: what it waits for would never come. */
  unlessLost<T>(work: Promise<T>): Promise<T>;
}

/** All is well. */
export function watchHealth(events: OwnerEvents): OwnerHealth {
  let failure: SlipwayError | null = null;
  const died = Promise.withResolvers<void>();
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => undefined);

  events.on('recording', (state) => {
    if (state.kind === 'paused' || state.kind === 'halted') failure = state.error;
    else if (state.kind === 'recording') failure = null;
    if (state.kind === 'halted') died.resolve();
  });
  events.on('lost', (error) => {
    failure = error;
    lost.reject(error);
    died.resolve();
  });

  return {
    failure: () => failure,
    dead: died.promise,
    unlessLost: (work) => Promise.race([work, lost.promise]),
  };
}
