import { z } from 'zod';
import { byteSize, duration } from '../platform/option-types.ts';

/** First path segments that are the door's own: a route of that name would hide them. */
export const OWN_SEGMENTS: ReadonlySet<string> = new Set([
  'healthz',
  'readyz',
  'metrics',
  'openapi.json',
  'queues',
  'session',
  'assets',
  'events',
  'v1',
  'upload-openai-file',
  'agentdr',
  'tus',
]);

const prefixSchema = z
  .string()
  .regex(
    /^\/(?:[A-Za-z0-9._~-]+(?:\/[A-Za-z0-9._~-]+)*)?$/,
    'must be a path such as / or /pictures, of letters, digits, `.`, `_`, `~` and `-`, without a slash at its end',
  )
  .refine(
    (prefix) => !OWN_SEGMENTS.has(prefix.split('/')[1] ?? ''),
    'would hide a path of the gateway itself',
  );

const routeSchema = z.strictObject({
  destination: z
    .string()
    .min(1)
    .optional()
    .describe(
      'where its files go: one of `destinations`, or the name of a preset; may be left out when exactly one is configured',
    ),
  mode: z
    .enum(['direct', 'queue'])
    .default('direct')
    .describe(
      'direct answers when the file is at its destination; queue answers 202 once it is safe on disk, and sends it later',
    ),
  fields: z
    .record(z.string().min(1), z.string())
    .default({})
    .describe('text fields of its uploads, such as purpose, besides those of the destination'),
  dedupe: z
    .enum(['none', 'content'])
    .default('none')
    .describe(
      'content answers from the record where the same bytes are there already under the same name and purpose, and sends nothing',
    ),
});

/** Compared in constant time, so length tells nothing; short ones are guessed all the same. */
const keySchema = z
  .strictObject({
    name: z
      .string()
      .regex(
        /^[\p{L}\p{N}][\p{L}\p{N} _.-]{0,47}$/u,
        'must be 1 to 48 letters, digits, `_`, `.`, `-` or spaces, a letter or digit first',
      )
      .describe('names the caller in logs and receipts'),
    env: z.string().min(1).optional().describe('environment variable that holds the key'),
    file: z
      .string()
      .min(1)
      .optional()
      .describe('file that holds the key, relative to the config file; read again when it changes'),
    routes: z
      .array(z.string())
      .min(1)
      .optional()
      .describe('routes this key opens, such as /pictures; left out: every route'),
    rate: z
      .strictObject({
        perMinute: z.int().min(1).describe('requests in any 60 s; all of them may come at once'),
      })
      .optional()
      .describe('how often it may ask'),
    bytesPerDay: byteSize().describe('bytes of files in a day (UTC)').optional(),
    concurrency: z.int().min(1).optional().describe('uploads at once'),
  })
  .refine(({ env, file }) => (env === undefined) !== (file === undefined), 'needs either env or file');

/** `slipway gateway`: the HTTP door. */
export const gatewayOptionsSchema = z
  .strictObject({
    host: z.string().min(1).default('127.0.0.1').describe('address to listen on; off loopback it needs keys'),
    port: z.int().min(0).max(65_535).default(8787).describe('port to listen on; 0: a free one'),
    routes: z
      .record(prefixSchema, routeSchema)
      .default({})
      .describe(
        'path prefix → where its uploads go; left out: every destination at /NAME, and the only one at / as well',
      ),
    keys: z
      .array(keySchema)
      .default([])
      .describe('who may use it, by `Authorization: Bearer`; none: whoever reaches it'),
    allowedHosts: z
      .array(z.string().min(1))
      .default([])
      .describe('Host names it answers to on loopback, besides localhost and loopback addresses'),
    allowedOrigins: z
      .array(z.string().min(1))
      .default([])
      .describe('origins of web pages that may use it, such as https://app.example.com; `null` is one too'),
    maxBytes: byteSize('512MB').describe(
      'a larger file is refused; the limit of its destination holds as well',
    ),
    maxJsonBytes: byteSize('20MB').describe('a larger JSON body (base64) is refused: it is held in memory'),
    maxInFlight: z
      .int()
      .min(1)
      .default(1024)
      .describe('uploads at once; more are answered with 503 before they are read'),
    patience: duration('60s').describe(
      'how long a caller waits for a new try to begin after one failed for now; a try under way is never cut',
    ),
  })
  .prefault({});

export type GatewayOptions = Readonly<z.output<typeof gatewayOptionsSchema>>;
