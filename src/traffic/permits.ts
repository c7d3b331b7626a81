/**
 * Who may send now: the permits of one destination in this process. Sources take turns, so that a trickle never
 * waits behind a million-file ingest (contract §4).
 */
export interface Permits {
  /**
   * Waits for a permit. Null when the signal fired or the permits were closed meanwhile: give the job back.
   * @param first it goes before those of its source that are not, which get every fourth permit at least
   * @returns the function that releases it; call it once
   */
  acquire(source: string, signal: AbortSignal, first?: boolean): Promise<(() => void) | null>;
  /** Looks again whether somebody may go: call it after the limit has grown. */
  pump(): void;
  /** Sends away everybody who waits, or everybody of one source. */
  dismiss(source?: string): void;
  inFlight(): number;
  waiting(): number;
}

interface Waiter {
  readonly grant: (release: (() => void) | null) => void;
}

/** Those of one source, in the order in which they came. */
interface Queue {
  readonly first: Set<Waiter>;
  readonly others: Set<Waiter>;
  /** How many went first in a row while others waited. */
  row: number;
}

/** Whoever goes first leaves every fourth permit to the others at least. */
const MOST_FIRST_IN_A_ROW = 3;

/** Whose turn it is. */
function nextOf(queue: Queue): Waiter | undefined {
  const { first, others } = queue;
  const isFirst = first.size > 0 && (others.size === 0 || queue.row < MOST_FIRST_IN_A_ROW);
  const [waiter] = isFirst ? first : others;
  return waiter;
}

function granted(queue: Queue, waiter: Waiter): void {
  queue.row = queue.first.has(waiter) && queue.others.size > 0 ? queue.row + 1 : 0;
}

const sizeOf = ({ first, others }: Queue): number => first.size + others.size;

/**
 * @param limit how many may be in flight now; 0 holds everybody
 * @param mayGo asked last, with how many could go now: takes a slot of the rate, or calls `pump` when there is one
 */
export function createPermits(limit: () => number, mayGo: (ready: number) => boolean = () => true): Permits {
  // Insertion order is the turn: a source that was served goes to the end.
  const queues = new Map<string, Queue>();
  let inFlight = 0;
  let waiting = 0;

  function release(): void {
    inFlight -= 1;
    pump();
  }

  function forget(source: string, waiter: Waiter): void {
    const queue = queues.get(source);
    if (queue === undefined || !(queue.first.delete(waiter) || queue.others.delete(waiter))) return;
    waiting -= 1;
    if (sizeOf(queue) === 0) queues.delete(source);
  }

  function pump(): void {
    while (inFlight < limit()) {
      const [next] = queues;
      if (next === undefined) return;
      const [source, queue] = next;
      const waiter = nextOf(queue);
      if (waiter === undefined || !mayGo(Math.min(waiting, limit() - inFlight))) return;
      granted(queue, waiter);
      forget(source, waiter);
      if (sizeOf(queue) > 0) {
        queues.delete(source);
        queues.set(source, queue);
      }
      inFlight += 1;
      let released = false;
      waiter.grant(() => {
        if (released) return;
        released = true;
        release();
      });
    }
  }

  return {
    acquire(source, signal, first = false) {
      return new Promise((resolve) => {
        if (signal.aborted) return resolve(null);
        const onAbort = (): void => {
          forget(source, waiter);
          resolve(null);
        };
        const waiter: Waiter = {
          grant: (granted) => {
            signal.removeEventListener('abort', onAbort);
            resolve(granted);
          },
        };
        signal.addEventListener('abort', onAbort, { once: true });
        const queue = queues.get(source) ?? { first: new Set(), others: new Set(), row: 0 };
        (first ? queue.first : queue.others).add(waiter);
        queues.set(source, queue);
        waiting += 1;
        pump();
      });
    },
    pump,
    dismiss(only) {
      for (const [source, queue] of [...queues]) {
        if (only !== undefined && source !== only) continue;
        for (const waiter of [...queue.first, ...queue.others]) {
          forget(source, waiter);
          waiter.grant(null);
        }
      }
    },
    inFlight: () => inFlight,
    waiting: () => waiting,
  };
}
