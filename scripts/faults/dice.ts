import { type Random, seededRandom } from '../../src/sandbox/trouble/seeded-random.ts';

/** Random choices that a seed repeats. */
export interface Dice {
  /** True with this probability. */
  chance(probability: number): boolean;
  /** A whole number, both ends included. */
  int(min: number, max: number): number;
  pick<T>(list: readonly [T, ...T[]]): T;
  weighted<T extends { readonly weight: number }>(list: readonly [T, ...T[]]): T;
  /** Dice of its own: what one part of a run draws does not shift what another draws. */
  fork(): Dice;
}

/** Same seed, same choices. */
export function diceOf(seed: number): Dice {
  return diceOver(seededRandom(seed));
}

function diceOver(random: Random): Dice {
  const int = (min: number, max: number): number => min + Math.floor(random() * (max - min + 1));
  return {
    int,
    chance: (probability) => random() < probability,
    pick: (list) => list[int(0, list.length - 1)] ?? list[0],
    weighted(list) {
      let left = random() * list.reduce((sum, { weight }) => sum + weight, 0);
      for (const one of list) {
        left -= one.weight;
        if (left < 0) return one;
      }
      return list[0];
    },
    fork: () => diceOf(int(0, 2 ** 31)),
  };
}
