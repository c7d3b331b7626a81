import { z } from 'zod';
import { duration } from '../platform/option-types.ts';

const retryShape = z
  .strictObject({
    attempts: z
      .int()
      .min(1)
      .max(1000)
      .default(8)
      .describe(
        'Tries per file before it is recorded as failed. A refreshed token, a 429 and an outage of the whole destination use up none.',
      ),
    baseDelay: duration('500ms').describe(
      'Upper end of the first wait; it doubles with every try, and each wait is drawn at random below it.',
    ),
    maxDelay: duration('30s').describe(
      'Upper end of every wait, unless the destination itself asks for a longer one.',
    ),
    deadline: duration('24h', { maxMs: 365 * 24 * 60 * 60 * 1000 }).describe(
      'Longest time from the first try that used up one of `attempts` to the last; past it the next such try is recorded as failed.',
    ),
  })
  .refine((value) => value.baseDelay <= value.maxDelay, {
    path: ['baseDelay'],
    error: 'must not be longer than `maxDelay`',
  });

/** `retry`: how long a file that fails for now is tried again. Every key has a default, so the whole does too. */
export const retrySchema = retryShape.prefault({} as z.input<typeof retryShape>);

const timeoutsShape = z.strictObject({
  connect: duration('10s', { minMs: 1 }).describe(
    'Longest wait for a connection, name resolution and TLS included.',
  ),
  response: duration('60s', { minMs: 1 }).describe(
    'Longest wait for the answer, from the last byte of the file on; raise it for an API that processes files before it answers.',
  ),
  idle: duration('30s', { minMs: 1 }).describe(
    'Longest silence while a file goes out or an answer comes in.',
  ),
});

/** `timeouts`: when an upload is given up and tried again. Every key has a default, so the whole does too. */
export const timeoutsSchema = timeoutsShape.prefault({} as z.input<typeof timeoutsShape>);

/** `retry` resolved; every time in milliseconds. */
export type RetryOptions = Readonly<z.output<typeof retrySchema>>;
/** `timeouts` resolved; every time in milliseconds. */
export type TimeoutOptions = Readonly<z.output<typeof timeoutsSchema>>;
