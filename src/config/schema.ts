import { z } from 'zod';
import { destinationConfigSchema } from '../destinations/definition/definition-schema.ts';
import { intakeOptionsSchema, spoolOptionsSchema } from '../intake/options.ts';
import { commandSinkSchema, webhookSchema } from '../notify/options.ts';
import { concurrencySchema } from '../pacing/options.ts';
import { duration } from '../platform/option-types.ts';
import { queueOptionsSchema, redisOptionsSchema } from '../queue/options.ts';
import { recordOptionsSchema } from '../record/options.ts';
import { retrySchema, timeoutsSchema } from '../upload/options.ts';
import { gatewayOptionsSchema } from './gateway-options.ts';
import { metricsOptionsSchema } from './metrics-options.ts';

/** A name becomes a folder, a part of a Redis key and a word in the log: no separators, braces or control characters. */
const nameSchema = z
  .string()
  .regex(
    /^[\p{L}\p{N}][\p{L}\p{N} _.-]{0,47}$/u,
    'must be 1 to 48 letters, digits, `_`, `.`, `-` or spaces, a letter or digit first',
  );

/** One watched folder: the rooms' own options, and where its files go. */
export const sourceSchema = z.strictObject({
  ...intakeOptionsSchema.shape,
  destination: z
    .string()
    .min(1)
    .optional()
    .describe(
      'where the files go: one of `destinations`, or the name of a preset; may be left out when exactly one is configured',
    ),
  ...recordOptionsSchema.shape,
  renamedFrom: nameSchema
    .nullable()
    .optional()
    .describe(
      'the name this source had before: its records, queue and ids go on under that name and nothing is sent again; kept in the data folder, so that the key may go again; null says that it is a new source, although another one knows its files',
    ),
  onSettled: commandSinkSchema
    .nullable()
    .default(null)
    .describe('a local program that is told what has settled, for whom no HTTP endpoint is at hand'),
});

const workerSchema = z
  .strictObject({
    concurrency: concurrencySchema
      .prefault({})
      .describe('uploads at once, for every destination that does not say its own'),
    processes: z
      .int()
      .min(1)
      .max(64)
      .default(1)
      .describe(
        'upload processes; 1 uploads in the main process, more only pay where processor cores are to spare',
      ),
  })
  .prefault({});

const shutdownSchema = z
  .strictObject({
    drain: duration('30s').describe(
      'how long the first Ctrl-C or SIGTERM waits for uploads under way; what has not ended by then is given back',
    ),
  })
  .prefault({});

const logSchema = z
  .strictObject({
    level: z
      .enum(['silent', 'error', 'warn', 'info', 'debug'])
      .default('info')
      .describe('the least important message that is written to stderr'),
  })
  .prefault({});

const pemFile = (describe: string) => z.string().min(1).nullable().default(null).describe(describe);

const networkSchema = z
  .strictObject({
    caFile: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe(
        'PEM file of certificate authorities to trust besides the usual ones, such as a company proxy',
      ),
    certFile: pemFile(
      'PEM file of the certificate that Slipway shows to servers that ask for one; with keyFile',
    ),
    keyFile: pemFile('PEM file of the private key of certFile'),
  })
  .refine(({ certFile, keyFile }) => (certFile === null) === (keyFile === null), {
    error: 'certFile and keyFile go together: set both, or neither',
  })
  .prefault({});

/** The config file. It accepts no key that does nothing. */
export const configSchema = z.strictObject({
  dataDir: z
    .string()
    .min(1)
    .default('.slipway')
    .describe('folder for what Slipway remembers; losing it means uploading everything again'),
  redis: redisOptionsSchema.describe('where the queues live; left out, Slipway runs a private Redis'),
  network: networkSchema.describe('how the outside is reached; proxies come from the environment'),
  destinations: z
    .record(nameSchema, destinationConfigSchema)
    .default({})
    .describe('file APIs by name: a preset with what you want different, or a definition of your own'),
  sources: z.record(nameSchema, sourceSchema).default({}).describe('watched folders by name'),
  webhooks: z.array(webhookSchema).default([]).describe('HTTP endpoints that are told what has settled'),
  queue: queueOptionsSchema.describe('how much waits in Redis'),
  spool: spoolOptionsSchema.describe('how files of archives are unpacked for ingest'),
  worker: workerSchema.describe('how much is sent at once'),
  retry: retrySchema.describe('what happens after an upload failed for now'),
  shutdown: shutdownSchema.describe('how Slipway stops'),
  timeouts: timeoutsSchema.describe('when an upload is given up'),
  log: logSchema.describe('what is logged'),
  metrics: metricsOptionsSchema.describe(
    'health and metrics of `run`, `intake` and `worker`; the gateway has its own',
  ),
  gateway: gatewayOptionsSchema.describe('the HTTP door, `slipway gateway`'),
});

/** The file as checked, before paths and destinations are worked out. */
export type ParsedConfig = z.output<typeof configSchema>;
