import { z } from 'zod';
import { BYTES_PATTERN, DURATION_PATTERN, formatDuration, parseBytes, parseDurationMs } from './units.ts';

/** A Node timer holds 2^31 - 1 ms, 24.8 days; a longer one fires at once. */
const MAX_TIMER_MS = 24 * 24 * 60 * 60 * 1_000;

const DURATION_FORM = 'must be a duration such as 500ms, 2s, 5m, 24h or 7d';
const BYTES_FORM = 'must be a size such as 64KiB, 512MB or 2GB';

/** The published JSON Schema describes the file before `${VAR}` is filled in, so a placeholder is a valid text. */
const PLACEHOLDER = '\\$\\{';

export interface DurationBounds {
  /** Least value accepted, in milliseconds. */
  readonly minMs?: number;
  /** Largest value accepted, in milliseconds. Raise it only for a duration that never becomes one timer. */
  readonly maxMs?: number;
}

type DurationType = ReturnType<typeof durationType>;
type ByteSizeType = ReturnType<typeof byteSizeType>;

/**
 * A duration option: text (`2s`) or a number of milliseconds in the file, milliseconds inside.
 * @param defaultText what the file means when the key is left out; without it the key is required
 */
export function duration(defaultText?: undefined, bounds?: DurationBounds): DurationType;
export function duration(defaultText: string, bounds?: DurationBounds): z.ZodPrefault<DurationType>;
export function duration(defaultText?: string, bounds: DurationBounds = {}) {
  const schema = durationType(bounds);
  return defaultText === undefined ? schema : schema.prefault(defaultText);
}

/**
 * A size option: text (`512MB`) or a number of bytes in the file, bytes inside.
 * @param defaultText what the file means when the key is left out; without it the key is required
 */
export function byteSize(): ByteSizeType;
export function byteSize(defaultText: string): z.ZodPrefault<ByteSizeType>;
export function byteSize(defaultText?: string) {
  const schema = byteSizeType();
  return defaultText === undefined ? schema : schema.prefault(defaultText);
}

function durationType({ minMs = 0, maxMs = MAX_TIMER_MS }: DurationBounds) {
  // Inside, definitions are put together from durations that are milliseconds already; in the file a bare number other
  // than 0 is refused by config, and editors are told so here.
  const number = z.number({ error: DURATION_FORM }).meta({ const: 0 });
  return quantityText(DURATION_PATTERN, DURATION_FORM, number).transform((value, context) => {
    const ms = parseDurationMs(value);
    if (ms !== null && ms >= minMs && ms <= maxMs) return ms;
    context.addIssue(ms === null ? DURATION_FORM : rangeProblem(ms, minMs, maxMs));
    return z.NEVER;
  });
}

function byteSizeType() {
  return quantityText(BYTES_PATTERN, BYTES_FORM, z.number({ error: BYTES_FORM })).transform(
    (value, context) => {
      const bytes = parseBytes(value);
      if (bytes !== null) return bytes;
      context.addIssue(BYTES_FORM);
      return z.NEVER;
    },
  );
}

/** Text or number; the text's form is checked by the transform, and shown to editors as a pattern. */
function quantityText(pattern: string, form: string, number: z.ZodNumber) {
  const text = z.string({ error: form }).meta({ pattern: `${pattern}|${PLACEHOLDER}` });
  return z.union([text, number], { error: form });
}

function rangeProblem(ms: number, minMs: number, maxMs: number): string {
  return ms < minMs
    ? `must be at least ${formatDuration(minMs)}`
    : `must be at most ${formatDuration(maxMs)}`;
}
