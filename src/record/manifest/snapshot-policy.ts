/** Most of the wall time that refreshing the manifest may take (contract §9). */
const SHARE_OF_TIME = 0.05;

/** With `auto`, above this many files the manifest does not list them: no reader could parse it. */
export const MAX_LISTED_FILES = 100_000;

/** Time to write a listed file before one was measured; generous. */
const GUESS_MS_PER_FILE = 0.05;

/** The last refresh, and how long it took. */
export interface LastRefresh {
  readonly endedAtMs: number;
  readonly durationMs: number;
}

/** When the next refresh keeps within the share of time. */
export function nextRefreshAtMs(last: LastRefresh | null): number {
  if (last === null) return 0;
  return last.endedAtMs + last.durationMs * (1 / SHARE_OF_TIME - 1);
}

/**
 * Whether a refresh fits what is left of the drain budget.
 * @param files how many it would list
 */
export function fitsBudget(budgetMs: number, files: number, last: LastRefresh | null): boolean {
  return Math.max(last?.durationMs ?? 0, files * GUESS_MS_PER_FILE) <= budgetMs;
}
