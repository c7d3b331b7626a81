/** Names that events have hinted at and nobody has looked at yet. */
export interface HintedPaths {
  /** @param path relative to the root */
  mark(path: string): void;
  /** Takes the oldest, at most `max`. */
  take(max: number): string[];
  size(): number;
}

/**
 * Nothing dirty. A name hinted at many times is kept once.
 * @param maxNames past it all are dropped and `onOverflow` is called: a full scan is then cheaper than remembering
 */
export function createHintedPaths(maxNames: number, onOverflow: () => void): HintedPaths {
  const names = new Set<string>();
  return {
    mark(path) {
      names.add(path);
      if (names.size <= maxNames) return;
      names.clear();
      onOverflow();
    },
    take(max) {
      const taken: string[] = [];
      for (const name of names) {
        if (taken.length >= max) break;
        taken.push(name);
        names.delete(name);
      }
      return taken;
    },
    size: () => names.size,
  };
}
