/** Things of one kind that are dealt with together: as few goes as possible, nobody kept waiting for company. */
export interface MicroBatch<T> {
  add(item: T): void;
}

/** More of them make a go no cheaper, and leave fewer jobs in hand to go on with. */
const ENOUGH = 10;
/** Nobody waits longer for others. */
const PATIENCE_MS = 5;

/**
 * What is added in one turn of the event loop goes together anyway.
 * @param others how many more may soon be added: those under way. Where less than half as many have been gathered, it is
 *   worth waiting for them a moment
 * @param deal gets at least one item, in order; must not throw
 */
export function microBatch<T>(others: () => number, deal: (items: readonly T[]) => void): MicroBatch<T> {
  let items: T[] = [];
  let timer: NodeJS.Timeout | null = null;
  let leaving = false;

  function go(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    leaving = false;
    const gathered = items;
    items = [];
    deal(gathered);
  }

  return {
    add(item) {
      items.push(item);
      if (leaving) return;
      leaving = items.length >= Math.min(ENOUGH, others() / 2);
      // After all promises of this turn: who is added by one of them comes along.
      if (leaving) process.nextTick(go);
      else timer ??= setTimeout(go, PATIENCE_MS);
    },
  };
}
