/** Smoothed files and bytes per second; half of what it says is from the last `HALF_LIFE_MS`. */
export interface RateMeter {
  add(files: number, bytes: number): void;
  read(): { readonly filesPerSecond: number; readonly bytesPerSecond: number };
}

const HALF_LIFE_MS = 2000;
/** Shorter spans make the figure jump without saying more. */
const TICK_MS = 250;

/** An exponential moving average over a given clock. */
export function createRateMeter(now: () => number): RateMeter {
  let lastMs = now();
  let files = 0;
  let bytes = 0;
  let filesPerSecond = 0;
  let bytesPerSecond = 0;

  function fold(): void {
    const spanMs = now() - lastMs;
    if (spanMs < TICK_MS) return;
    const keep = 0.5 ** (spanMs / HALF_LIFE_MS);
    filesPerSecond = filesPerSecond * keep + (files / spanMs) * 1000 * (1 - keep);
    bytesPerSecond = bytesPerSecond * keep + (bytes / spanMs) * 1000 * (1 - keep);
    lastMs = now();
    files = 0;
    bytes = 0;
  }

  return {
    add(moreFiles, moreBytes) {
      fold();
      files += moreFiles;
      bytes += moreBytes;
    },
    read() {
      fold();
      return { filesPerSecond, bytesPerSecond };
    },
  };
}
