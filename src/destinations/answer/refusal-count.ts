/**
 * Tells a token that has grown old from credentials that are wrong: two freshly read tokens in a row refused, with no
 * success in between, are wrong (contract §6).
 *
 * A reading counts as refused only when its first request was: a service may limit how often a token serves, and then
 * many uploads at once are refused with a token that is perfectly good.
 */
export interface RefusalCount {
  /** @param firstUse whether the refused request was the first one with its reading of the token */
  refused(firstUse: boolean): 'again' | 'condemned';
  accepted(): void;
}

const REFUSED_IN_A_ROW = 2;

export function createRefusalCount(): RefusalCount {
  let inARow = 0;
  return {
    refused(firstUse) {
      if (!firstUse) return 'again';
      inARow += 1;
      if (inARow < REFUSED_IN_A_ROW) return 'again';
      // The next probe of a stopped destination starts afresh: somebody may have logged in again.
      inARow = 0;
      return 'condemned';
    },
    accepted() {
      inARow = 0;
    },
  };
}
