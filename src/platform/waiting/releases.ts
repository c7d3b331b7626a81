import { within } from './within.ts';

/** What was opened one after the other, and how each is closed. */
export interface Releases {
  add(undo: () => unknown): void;
  /** Newest first, once, whoever asks first: a second caller waits for the first. */
  all(budgetMsEach: number): Promise<void>;
}

/** Nothing opened yet. */
export function createReleases(): Releases {
  const undos: (() => unknown)[] = [];
  let releasing: Promise<void> | null = null;

  async function release(budgetMs: number): Promise<void> {
    for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
      // One that fails must not keep the others from being released.
      await within(Promise.resolve().then(undo), budgetMs);
    }
  }

  return {
    add: (undo) => void undos.push(undo),
    all(budgetMs) {
      releasing ??= release(budgetMs);
      return releasing;
    },
  };
}
