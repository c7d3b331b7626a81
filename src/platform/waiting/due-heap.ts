interface Item<T> {
  readonly atMs: number;
  readonly value: T;
}

/** Values ordered by when they are due: a binary heap, so that one timer serves any number of them. */
export interface DueHeap<T> {
  push(value: T, atMs: number): void;
  /** Time of the earliest value; null when empty. */
  nextMs(): number | null;
  /** Takes the earliest value when it is due, else null. */
  pop(nowMs: number): T | null;
}

/** An empty heap. */
export function createDueHeap<T>(): DueHeap<T> {
  const items: Item<T>[] = [];
  const at = (index: number): number => items[index]?.atMs ?? Number.POSITIVE_INFINITY;

  function swap(a: number, b: number): void {
    const [first, second] = [items[a], items[b]];
    if (first === undefined || second === undefined) return;
    items[a] = second;
    items[b] = first;
  }

  function sink(): void {
    for (let index = 0; ; ) {
      const left = 2 * index + 1;
      const smaller = at(left + 1) < at(left) ? left + 1 : left;
      if (at(smaller) >= at(index)) return;
      swap(smaller, index);
      index = smaller;
    }
  }

  return {
    push(value, atMs) {
      let index = items.push({ atMs, value }) - 1;
      while (index > 0) {
        const parent = (index - 1) >> 1;
        if (at(parent) <= at(index)) return;
        swap(parent, index);
        index = parent;
      }
    },
    nextMs: () => items[0]?.atMs ?? null,
    pop(nowMs) {
      const first = items[0];
      if (first === undefined || first.atMs > nowMs) return null;
      const last = items.pop();
      if (last !== undefined && last !== first) {
        items[0] = last;
        sink();
      }
      return first.value;
    },
  };
}
