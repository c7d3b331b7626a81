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
