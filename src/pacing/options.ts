import { z } from 'zod';

/**
 * How many uploads run at once towards a destination. Written under `worker` it is the default of every
 * destination; written under a destination it stands for that one alone.
 */
export const concurrencySchema = z
  .strictObject({
    initial: z
      .int()
      .min(1)
      .max(1000)
      .default(1)
      .describe(
        'Uploads in flight at the start. 1 is gentle and doubles quickly; raise it for a destination known to cope.',
      ),
    max: z
      .int()
      .min(1)
      .max(1000)
      .default(64)
      .describe(
        'Uploads never in flight beyond this. Each one holds a connection and up to about 1 MiB of memory.',
      ),
    adaptive: z
      .boolean()
      .default(true)
      .describe('Find the number that suits the destination from its answers. false: always `max`.'),
  })
  .refine((value) => value.initial <= value.max, {
    path: ['initial'],
    error: 'must not be larger than `max`',
  });

/** `concurrency` once resolved: every key present. */
export type ConcurrencyOptions = Readonly<z.output<typeof concurrencySchema>>;

const quota = (per: string) => z.number().positive().max(1_000_000).describe(`Uploads per ${per}.`);

/** A quota as it is written: of a preset, or of a destination in the config. */
export const rateSchema = z.union(
  [z.strictObject({ perSecond: quota('second') }), z.strictObject({ perMinute: quota('minute') })],
  { error: 'must be { perSecond: N } or { perMinute: N }' },
);

/** Uploads per second of a quota as it is written. */
export function perSecondOf(rate: z.output<typeof rateSchema>): number {
  return 'perSecond' in rate ? rate.perSecond : rate.perMinute / 60;
}
