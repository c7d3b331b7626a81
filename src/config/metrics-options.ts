import { z } from 'zod';

/** `metrics`: where a process without a door tells how it is. */
export const metricsOptionsSchema = z
  .strictObject({
    host: z.string().min(1).default('127.0.0.1').describe('address to listen on; it asks for no key'),
    port: z
      .int()
      .min(0)
      .max(65_535)
      .nullable()
      .default(null)
      .describe('port of /healthz, /readyz and /metrics; 0: a free one; null: none'),
  })
  .prefault({});

export type MetricsOptions = Readonly<z.output<typeof metricsOptionsSchema>>;
