import { z } from 'zod';

/** What the door says and is told, as its OpenAPI document describes it; tests hold real answers against it. */

export const fileObjectSchema = z
  .looseObject({
    id: z
      .string()
      .describe(
        'of the far side where it has calls for files, else of the gateway: `file-` and 32 hex digits',
      ),
    object: z.literal('file'),
    bytes: z.int().min(0),
    created_at: z.int().describe('Unix seconds'),
    filename: z.string(),
    purpose: z.string(),
    status: z.string().describe('`uploaded` while it waits to be sent, `processed`, or `error`'),
    status_details: z.unknown().describe('why it failed'),
    url: z.string().nullable().optional(),
    ref: z.string().nullable().optional().describe('how downstream cites the file'),
    sha256: z.string().nullable().optional(),
    remote_id: z
      .string()
      .nullable()
      .optional()
      .describe('the id at the far side, where `id` is the gateway’s'),
  })
  .describe('a file as OpenAI describes it');

export const fileListSchema = z.looseObject({
  object: z.literal('list'),
  data: z.array(fileObjectSchema),
  first_id: z.string().nullable(),
  last_id: z.string().nullable(),
  has_more: z.boolean(),
});

export const deletedSchema = z.looseObject({
  id: z.string(),
  object: z.literal('file').optional(),
  deleted: z.boolean(),
});

export const errorSchema = z.looseObject({
  error: z.looseObject({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.union([z.string(), z.number()]).nullable(),
  }),
});

export const vectorxAnswerSchema = z
  .looseObject({
    code: z.int().describe('0; the far side’s HTTP status or its own code; -1: nothing came back'),
    msg: z.string(),
    data: z.unknown().optional().describe('the file object, or what the far side said'),
  })
  .describe('HTTP 200 whenever the upload ran');

export const autoglmAnswerSchema = z.looseObject({
  code: z.int(),
  msg: z.string(),
  time: z.number().optional(),
  trace: z.string().optional(),
  data: z
    .looseObject({
      message: z.string().optional(),
      oss_info: z.array(
        z.looseObject({ filename: z.string(), oss_name: z.string(), oss_url: z.string().nullable() }),
      ),
    })
    .nullable(),
});

export const readinessSchema = z.object({
  status: z.enum(['ok', 'unready', 'closing']),
  checks: z
    .object({
      redis: z.string(),
      token: z.record(z.string(), z.string()),
      disk: z.string(),
      destinations: z.record(z.string(), z.string()),
    })
    .optional()
    .describe('where keys exist, only with one'),
});
