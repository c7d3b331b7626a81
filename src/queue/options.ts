import { z } from 'zod';

/** Where the queue lives. */
export const redisOptionsSchema = z
  .strictObject({
    url: z
      .string()
      .regex(/^(rediss?:\/\/|unix:\/\/\/|\/)/, 'must start with redis://, rediss://, unix:/// or /')
      .nullable()
      .default(null)
      .describe('Redis to use; left out, Slipway runs a private one on a unix socket under dataDir'),
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'letters, digits, `_`, `.` and `-` only')
      .default('slipway')
      .describe('first part of every Redis key; give each installation that shares a Redis its own'),
  })
  .prefault({});

/** How much may wait in Redis. */
export const queueOptionsSchema = z
  .strictObject({
    maxPending: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(10_000)
      .describe('jobs per source in Redis that are not yet recorded; the rest wait on disk'),
  })
  .prefault({});

export type RedisOptions = z.infer<typeof redisOptionsSchema>;
export type QueueOptions = z.infer<typeof queueOptionsSchema>;
