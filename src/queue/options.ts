import { z } from 'zod';

/** `host:port`, or `[IPv6]:port`. */
const hostAndPort = z
  .string()
  .regex(
    /^(\[[0-9A-Fa-f:.%]+\]|[^\s:/@[\]]+):\d{1,5}$/,
    'must be host:port, such as redis-1.example.com:26379 or [::1]:6379',
  );
const optionalText = (describe: string) => z.string().min(1).nullable().default(null).describe(describe);

const redisTlsSchema = z
  .strictObject({
    caFile: optionalText('PEM file of authorities to trust for Redis; left out, network.caFile'),
    certFile: optionalText('PEM file of the certificate that Slipway shows to Redis; with keyFile'),
    keyFile: optionalText('PEM file of the private key of certFile'),
    servername: optionalText('name in the certificate of Redis, where it is reached by another one'),
  })
  .refine(({ certFile, keyFile }) => (certFile === null) === (keyFile === null), {
    error: 'certFile and keyFile go together: set both, or neither',
  });

/** Where the queue lives. What goes together with what: `config/redis-checks.ts`. */
export const redisOptionsSchema = z
  .strictObject({
    url: z
      .string()
      .regex(/^(rediss?:\/\/|unix:\/\/\/|\/)/, 'must start with redis://, rediss://, unix:/// or /')
      .nullable()
      .default(null)
      .describe(
        'Redis to use; without url, sentinels and cluster Slipway runs a private one on a unix socket under dataDir',
      ),
    sentinels: z
      .array(hostAndPort)
      .min(1)
      .nullable()
      .default(null)
      .describe('host:port of the Sentinels that know where the primary is; with name'),
    name: optionalText('what the Sentinels call the primary, such as mymaster'),
    cluster: z
      .array(hostAndPort)
      .min(1)
      .nullable()
      .default(null)
      .describe('host:port of some nodes of a Redis Cluster; they name the others'),
    username: optionalText('user of Redis, where it is not in url'),
    password: optionalText('password of Redis, where it is not in url'),
    sentinelPassword: optionalText('password of the Sentinels, where they want one'),
    db: z
      .int()
      .min(0)
      .max(99_999)
      .nullable()
      .default(null)
      .describe('number of the database, where it is not in url; a Cluster has 0 alone'),
    tls: redisTlsSchema
      .nullable()
      .default(null)
      .describe(
        'how TLS is spoken to Redis; `{}` switches it on for sentinels and cluster, a url begins with rediss://',
      ),
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
