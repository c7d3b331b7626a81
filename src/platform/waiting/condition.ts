import { abortErrorOf, onAbort } from './abort.ts';

/** Something that is waited for in memory, without polling. */
export interface Condition {
  /** What it depends on has changed: everybody who waits looks again. */
  changed(): void;
  /** Resolves once `done` says so, at once when it does already; rejects with the signal's reason when it fires first. */
  until(done: () => boolean, signal: AbortSignal): Promise<void>;
}

/** Nobody waits yet. */
export function createCondition(): Condition {
  const waiters = new Set<() => void>();
  return {
    changed() {
      for (const look of [...waiters]) look();
    },
    until(done, signal) {
      if (done()) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const look = (): void => {
          if (!done()) return;
          waiters.delete(look);
          stopListening();
          resolve();
        };
        waiters.add(look);
        const stopListening = onAbort(signal, () => {
          waiters.delete(look);
          reject(abortErrorOf(signal));
        });
      });
    },
  };
}
