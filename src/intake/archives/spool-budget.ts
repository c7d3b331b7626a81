/** What a process may keep unpacked at once: `spool.maxBytes`, shared by the archives it reads. */
export interface SpoolBudget {
  readonly maxBytes: number;
  /** Whether so much may be taken now. */
  fits(bytes: number): boolean;
  /** Takes so much as soon as it fits; the first to ask is the first to get. Rejects when the signal fires. */
  take(bytes: number, signal: AbortSignal): Promise<void>;
  /** What lies there already. */
  count(bytes: number): void;
  give(bytes: number): void;
}

interface Waiting {
  readonly bytes: number;
  readonly resolve: () => void;
}

/** Nothing taken. */
export function createSpoolBudget(maxBytes: number): SpoolBudget {
  let taken = 0;
  let queue: Waiting[] = [];

  function serve(): void {
    for (let [first] = queue; first !== undefined && taken + first.bytes <= maxBytes; [first] = queue) {
      queue.shift();
      taken += first.bytes;
      first.resolve();
    }
  }

  return {
    maxBytes,
    fits: (bytes) => queue.length === 0 && taken + bytes <= maxBytes,
    take(bytes, signal) {
      signal.throwIfAborted();
      return new Promise((resolve, reject) => {
        const onAbort = (): void => {
          queue = queue.filter((one) => one !== waiting);
          reject(signal.reason);
          serve();
        };
        const waiting: Waiting = {
          bytes,
          resolve() {
            signal.removeEventListener('abort', onAbort);
            resolve();
          },
        };
        signal.addEventListener('abort', onAbort, { once: true });
        queue.push(waiting);
        serve();
      });
    },
    count(bytes) {
      taken += bytes;
    },
    give(bytes) {
      taken -= bytes;
      serve();
    },
  };
}
