/** Sends what comes one by one in as few pieces as possible: while one is under way, the next gathers. */
export function coalesce<T>(
  send: (items: readonly T[], signal: AbortSignal) => Promise<void>,
): (item: T, signal: AbortSignal) => Promise<void> {
  let next: { readonly items: T[]; readonly sent: Promise<void> } | null = null;
  let last: Promise<void> = Promise.resolve();

  return (item, signal) => {
    if (next === null) {
      const items: T[] = [];
      const sent = last
        .catch(() => undefined)
        .then(() => {
          next = null;
          return send(items, signal);
        });
      next = { items, sent };
      last = sent;
    }
    next.items.push(item);
    return next.sent;
  };
}
