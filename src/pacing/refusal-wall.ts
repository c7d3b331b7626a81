import { ADAPTIVE } from './adaptive-constants.ts';

/** Remembers the limit that brought back-pressure, so that it is tried again ever more rarely. */
export interface RefusalWall {
  /**
   * Back-pressure came with this many in flight.
   * @param costWindows round-trip windows that it took to come: a refusal is quick, a time-out is not
   */
  hit(limit: number, costWindows: number): void;
  /** Asked once per window that could grow: may `limit` become `limit + 1`? */
  mayPass(limit: number): boolean;
  state(): WallState;
  /** Forgets what has been hit since. */
  restore(state: WallState): void;
}

/** null: none known. `waited`: windows spent just below it. */
export type WallState = { readonly limit: number; readonly patience: number; readonly waited: number } | null;

export function createRefusalWall(): RefusalWall {
  let wall: WallState = null;

  return {
    hit(limit, costWindows) {
      const sameAgain = wall !== null && limit >= wall.limit - 1;
      const patience = sameAgain && wall !== null ? wall.patience * 2 : ADAPTIVE.firstPatience;
      const costly = Math.min(ADAPTIVE.mostCostlyPatience, Math.floor(costWindows * ADAPTIVE.costPatience));
      wall = { limit, patience: Math.max(costly, Math.min(ADAPTIVE.mostPatience, patience)), waited: 0 };
    },
    mayPass(limit) {
      if (wall === null || limit + 1 < wall.limit) return true;
      if (limit >= wall.limit) {
        // A whole window at it without back-pressure: it is not there any more.
        wall = null;
        return true;
      }
      wall = { ...wall, waited: wall.waited + 1 };
      return wall.waited > wall.patience;
    },
    state: () => wall,
    restore(state) {
      wall = state;
    },
  };
}
