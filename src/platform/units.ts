/** Durations and sizes as people write them. Inside the product there are only numbers: milliseconds and bytes. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND,
  m: MINUTE,
  h: HOUR,
  d: DAY,
};

const BYTE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** What `parseDurationMs` reads, for schemas and messages. */
export const DURATION_PATTERN = '^\\d+(\\.\\d+)?\\s?(ms|s|m|h|d)$';
/** What `parseBytes` reads, for schemas and messages. */
export const BYTES_PATTERN = '^\\d+(\\.\\d+)?\\s?(B|[KMGT]i?B)$';

const durationShape = /^(\d+(?:\.\d+)?)\s?(ms|s|m|h|d)$/;
const bytesShape = /^(\d+(?:\.\d+)?)\s?(B|[KMGT]i?B)$/;

/**
 * Milliseconds of `500ms`, `2s`, `5m`, `24h`, `7d`; a number is taken as milliseconds.
 * null: not a duration (negative, not finite, without a unit).
 */
export function parseDurationMs(value: string | number): number | null {
  return quantityOf(value, durationShape, DURATION_UNITS);
}

/**
 * Bytes of `2GB`, `512MB`, `64KiB`, `10B`: decimal units count by 1,000, the `i` ones by 1,024. A number is taken as
 * bytes. null: not a size.
 */
export function parseBytes(value: string | number): number | null {
  return quantityOf(value, bytesShape, BYTE_UNITS);
}

function quantityOf(
  value: string | number,
  shape: RegExp,
  units: Readonly<Record<string, number>>,
): number | null {
  if (typeof value === 'number') return isQuantity(value) ? Math.round(value) : null;
  const [, digits, unit] = shape.exec(value.trim()) ?? [];
  const factor = unit === undefined ? undefined : units[unit];
  if (digits === undefined || factor === undefined) return null;
  const quantity = Math.round(Number(digits) * factor);
  return isQuantity(quantity) ? quantity : null;
}

/** Past 2^53 a number no longer counts single bytes or milliseconds. */
function isQuantity(value: number): boolean {
  return value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

/** Bytes for people, in the decimal units that file APIs and disks are sold in: `0 B`, `999 B`, `1.5 MB`, `512 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let index = 0;
  // 999.95 and not 1000: one decimal is shown, and `1000.0 kB` is not how anyone writes a megabyte.
  while (value >= (index === 0 ? 1000 : 999.95) && index < units.length - 1) {
    value /= 1000;
    index += 1;
  }
  const digits = index === 0 ? String(Math.round(value)) : value.toFixed(1).replace(/\.0$/, '');
  return `${digits} ${units[index]}`;
}

/** Milliseconds for people, two units at most: `0ms`, `250ms`, `1.5s`, `2m 5s`, `24h`, `3d 4h`. */
export function formatDuration(ms: number): string {
  const whole = Math.round(ms);
  if (whole < SECOND) return `${whole}ms`;
  // Rounding may carry into the next unit (59.96 s is 1m), so each step looks at the rounded value.
  const tenths = Math.round(whole / 100);
  if (tenths < 600) return `${String(tenths / 10)}s`;
  const seconds = Math.round(whole / SECOND);
  if (seconds < 3600) return pair(seconds, 60, 'm', 's');
  const minutes = Math.round(whole / MINUTE);
  if (minutes < 2 * 24 * 60) return pair(minutes, 60, 'h', 'm');
  return pair(Math.round(whole / HOUR), 24, 'd', 'h');
}

function pair(total: number, perBig: number, big: string, small: string): string {
  const rest = total % perBig;
  const head = `${Math.floor(total / perBig)}${big}`;
  return rest === 0 ? head : `${head} ${rest}${small}`;
}

/** The shortest text that `parseDurationMs` reads back as exactly these whole milliseconds: `500ms`, `90s`, `24h`. */
export function durationText(ms: number): string {
  const unit = ['h', 'm', 's'].find((name) => ms > 0 && ms % (DURATION_UNITS[name] ?? 1) === 0) ?? 'ms';
  return `${ms / (DURATION_UNITS[unit] ?? 1)}${unit}`;
}

/** The shortest text that `parseBytes` reads back as exactly these whole bytes: `2GB`, `64KiB`, `10B`. */
export function bytesText(bytes: number): string {
  const largest = ['TiB', 'TB', 'GiB', 'GB', 'MiB', 'MB', 'KiB', 'KB'];
  const unit = largest.find((name) => bytes > 0 && bytes % (BYTE_UNITS[name] ?? 1) === 0) ?? 'B';
  return `${bytes / (BYTE_UNITS[unit] ?? 1)}${unit}`;
}
