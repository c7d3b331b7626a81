/**
 * Waits for something, but no longer than the budget; never rejects.
 * @returns whether it ended in time
 */
export async function within(work: Promise<unknown>, budgetMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), Math.max(0, budgetMs));
  const ended = work.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([ended, promise]);
  } finally {
    clearTimeout(timer);
  }
}
