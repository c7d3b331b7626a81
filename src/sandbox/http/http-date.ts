let cachedSecond = Number.NaN;
let cachedText = '';

/** The `Date` header of a time in milliseconds; formatted once per second, not once per answer. */
export function httpDate(nowMs: number): string {
  const second = Math.floor(nowMs / 1_000);
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedText = new Date(second * 1_000).toUTCString();
  }
  return cachedText;
}
