import { z } from 'zod';

/**
 * What arrives at an endpoint, for receivers; published in config/schemas. Later versions may add keys, none goes away,
 * so the schemas let unknown ones pass.
 */
const isoTime = z.string().meta({ format: 'date-time' });
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().min(0);

const receiptShape = {
  v: z.literal(1),
  id: z.string().describe('file version: one path in one source at one size and mtime for one destination'),
  source: z.string(),
  path: z.string().describe('relative to the folder of the source, `/`-separated'),
  pathBytes: z.string().optional().describe('base64; only where the name is not UTF-8'),
  gen: count.describe('generation; (id, gen) is told once, however often it arrives'),
  destination: z.string(),
  bytes: count,
  contentType: z.string().nullable(),
  mtime: isoTime,
  mtimeNs: z.string(),
  expiresAt: z.string().nullable().describe('when the destination will have deleted it'),
  attempts: count,
  queuedAt: isoTime,
  recordedAt: isoTime,
  durationMs: z.number().nullable(),
  batch: z.string().nullable(),
  reusedFrom: z.string().optional().describe('file version whose upload stands for this one'),
  sentName: z
    .string()
    .optional()
    .describe('the name the destination was given; only where it is not the file’s'),
  meta: z.record(z.string(), z.string()).optional().describe('what was attached to the file'),
  seenMs: count.optional().describe('milliseconds before `queuedAt` that this version was first seen'),
  settledMs: count
    .optional()
    .describe('milliseconds before `queuedAt` that it was settled; left out: when first seen'),
};

const uploadedShape = {
  ...receiptShape,
  status: z.literal('uploaded'),
  url: z.string().nullable(),
  fileId: z.string().nullable(),
  ref: z.string().nullable().describe('how a model cites the file: `https://…` or `fileid://…`'),
  sha256: sha256.nullable(),
  uploadedAt: isoTime.nullable(),
  error: z.null(),
};

const notUploadedShape = (status: 'failed' | 'skipped') => ({
  ...receiptShape,
  status: z.literal(status),
  url: z.null(),
  fileId: z.string().nullable(),
  ref: z.string().nullable(),
  sha256: sha256.nullable(),
  uploadedAt: isoTime.nullable(),
  error: z.looseObject({
    code: z.string(),
    kind: z.string(),
    message: z.string(),
    httpStatus: z.int().nullable(),
    at: isoTime,
  }),
});

const attemptLog = z
  .array(
    z.looseObject({
      at: isoTime.describe('when the try ended'),
      code: z.string(),
      kind: z.string(),
      httpStatus: z.int().nullable(),
      counted: z.boolean().describe('it used up one of `retry.attempts`, or ended the file by itself'),
      attempted: z.literal(false).optional().describe('no upload: a 429, a refused token, nothing sent'),
    }),
  )
  .max(16)
  .optional()
  .describe('failed tries, oldest first; only where there were some');

const remote = z.unknown().describe('the API’s own answer, secrets removed, at most 8 KiB');

const eventOf = <Data extends z.ZodType>(type: string, data: Data, description: string) =>
  z
    .looseObject({
      type: z.literal(type),
      timestamp: isoTime.describe('when it was recorded'),
      test: z
        .literal(true)
        .optional()
        .describe('a trial by `slipway webhooks test`: no file is behind it, and nothing is to be done'),
      data,
    })
    .describe(description);

const batchEnd = z.looseObject({
  v: z.literal(1),
  batch: z.string(),
  source: z.string(),
  destination: z.string(),
  folder: z
    .string()
    .optional()
    .describe('the folder that is the batch, where dropped folders are batches (`batch: { by: topFolder }`)'),
  counts: z.looseObject({ discovered: count, uploaded: count, failed: count, skipped: count }),
  startedAt: isoTime,
  completedAt: isoTime,
  durationMs: z.number().min(0),
  manifest: z.string().describe('absolute path on the machine that runs Slipway'),
  manifestSha256: sha256,
});

/** By `type`. */
export const PAYLOAD_SCHEMAS = {
  'file.uploaded': eventOf(
    'file.uploaded',
    z.looseObject({ ...uploadedShape, attemptLog, remote }),
    'A file is up, and its receipt durable.',
  ),
  'file.failed': eventOf(
    'file.failed',
    z.looseObject({ ...notUploadedShape('failed'), attemptLog, remote }),
    'A file has failed for good.',
  ),
  'file.skipped': eventOf(
    'file.skipped',
    z.looseObject({ ...notUploadedShape('skipped'), attemptLog, remote }),
    'A file will not be sent; `error.code` says why.',
  ),
  'files.settled': eventOf(
    'files.settled',
    z.looseObject({
      receipts: z
        .array(
          z.discriminatedUnion('status', [
            z.looseObject(uploadedShape),
            z.looseObject(notUploadedShape('failed')),
            z.looseObject(notUploadedShape('skipped')),
          ]),
        )
        .min(1),
    }),
    'Several files have settled: their receipts without `remote`, in the order of recording.',
  ),
  'batch.completed': eventOf('batch.completed', batchEnd, 'Every file of a batch has its receipt.'),
} as const;

/** As JSON Schema (2020-12), by `type`. */
export function payloadJsonSchemas(): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(PAYLOAD_SCHEMAS).map(([type, schema]) => [
      type,
      { ...z.toJSONSchema(schema, { io: 'input' }), title: `Slipway webhook ${type}` },
    ]),
  );
}
