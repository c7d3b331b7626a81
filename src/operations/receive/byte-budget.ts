/** How many bytes may be held at once, by all together. */
export interface ByteBudget {
  /** @returns whether there was room; nothing is taken when there was none */
  take(bytes: number): boolean;
  giveBack(bytes: number): void;
  /** They are there already, whatever the maximum is by now. */
  holds(bytes: number): void;
  taken(): number;
  readonly maxBytes: number;
}

export function createByteBudget(maxBytes: number): ByteBudget {
  let taken = 0;
  return {
    maxBytes,
    take(bytes) {
      if (taken + bytes > maxBytes) return false;
      taken += bytes;
      return true;
    },
    giveBack(bytes) {
      taken -= bytes;
    },
    holds(bytes) {
      taken += bytes;
    },
    taken: () => taken,
  };
}
