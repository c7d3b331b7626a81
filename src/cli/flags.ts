import { InvalidArgumentError } from 'commander';
import { parseDurationMs } from '../platform/units.ts';

/** A duration flag (`30s`) in milliseconds. */
export function durationFlag(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === null) throw new InvalidArgumentError('give a duration such as 500ms, 30s or 5m.');
  return ms;
}

/** A whole number. */
export function integerFlag(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('give a whole number.');
  return Number(text);
}

export function momentFlag(text: string): number {
  const durationMs = parseDurationMs(text);
  if (durationMs !== null) return Date.now() - durationMs;
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs)) {
    throw new InvalidArgumentError(
      'give a date such as 2026-11-22 or 2026-11-22T08:00Z, or a duration such as 24h.',
    );
  }
  return atMs;
}
