/** Runs functions one at a time, in the order they were given. */
export type Exclusive = <T>(work: () => Promise<T>) => Promise<T>;

/** A new mutex. A failing function does not stop the next one. */
export function createMutex(): Exclusive {
  let tail: Promise<unknown> = Promise.resolve();
  return (work) => {
    const run = tail.then(work, work);
    tail = run.catch(() => undefined);
    return run;
  };
}
