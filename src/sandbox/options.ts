import { z } from 'zod';
import { SlipwayError } from '../domain/errors.ts';
import { issuesText } from './issues-text.ts';
import { faultRuleSchema } from './trouble/fault-rule.ts';

const MEBIBYTE = 1024 * 1024;
const port = z.int().min(0).max(65_535).default(0);
const uploadsPerSecond = z.number().positive();

/** A server whose limits the client does not know: what adaptive pacing has to find out. */
const capacitySchema = z.strictObject({
  quotaPerSecond: uploadsPerSecond
    .nullable()
    .default(null)
    .describe('Uploads per second; more are refused in the way the API refuses. null: no quota.'),
  knee: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Uploads served at once; further ones wait their turn, so more in flight only adds latency.'),
  rejectAbove: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Uploads in flight above which one is refused with HTTP 503. null: never.'),
  serviceMs: z
    .number()
    .min(0)
    .default(0)
    .describe('How long serving one upload takes, in milliseconds, its body already received.'),
});

/** What the documented services limit. Changed only by tests that cannot wait for, or send, that much. */
const limitsSchema = z.strictObject({
  dashscopeUploadsPerSecond: uploadsPerSecond.default(3).describe('Above it: 429 `Throttling.RateQuota`.'),
  dashscopeQueriesPerSecond: uploadsPerSecond.default(10).describe('Retrieve, list and delete together.'),
  dashscopeMaxFiles: z.int().min(1).default(10_000).describe('Files an account holds; then uploads fail.'),
  dashscopeExtractMaxBytes: z
    .int()
    .min(1)
    .default(150 * MEBIBYTE)
    .describe('Largest `file-extract` file in bytes, behind VectorX too.'),
  vectorxUploadsPerSecond: uploadsPerSecond.default(3).describe('The DashScope limit behind the runtime.'),
  openaiUploadsPerMinute: z.int().min(1).default(1_000).describe('Above it: 429 `rate_limit_exceeded`.'),
  openaiMaxFileBytes: z
    .int()
    .min(1)
    .default(512 * MEBIBYTE)
    .describe('Largest file of POST /v1/files, in bytes.'),
  openaiMaxPartBytes: z
    .int()
    .min(1)
    .default(64 * MEBIBYTE)
    .describe('Largest part of an Upload, in bytes.'),
});

const sandboxOptionsSchema = z.strictObject({
  ports: z
    .strictObject({
      token: port.describe('Port of the token service on 127.0.0.1. 0: any free one.'),
      api: port.describe('Port of all file APIs on 127.0.0.1. 0: any free one.'),
    })
    .prefault({}),
  faults: z.array(faultRuleSchema).default([]).describe('What goes wrong, from the start.'),
  seed: z.int().default(1).describe('Of the faults that strike with a probability: same seed, same faults.'),
  apiKey: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('The one key OpenAI, DashScope and VectorX accept. null: any bearer, and none for VectorX.'),
  maxFiles: z
    .int()
    .min(1)
    .default(100_000)
    .describe(
      'Received files remembered, the oldest going first; about 1 KiB of memory each. Counts stay exact.',
    ),
  processingMs: z
    .number()
    .min(0)
    .default(300)
    .describe('How long a DashScope file stays `processing` after its upload, in milliseconds.'),
  capacity: capacitySchema.prefault({}),
  limits: limitsSchema.prefault({}),
});

export type CapacityOptions = Readonly<z.output<typeof capacitySchema>>;
export type SandboxLimits = Readonly<z.output<typeof limitsSchema>>;
export type ResolvedSandboxOptions = Readonly<z.output<typeof sandboxOptionsSchema>>;

/** What a caller may write; everything has a default. */
export type SandboxOptions = z.input<typeof sandboxOptionsSchema> & {
  /** Milliseconds since the epoch. The `Date` header, token expiry and the timestamp check follow it. */
  readonly now?: () => number;
};

/** Fills in defaults. Throws SlipwayError `usage` naming every wrong key. */
export function resolveSandboxOptions(options: Omit<SandboxOptions, 'now'>): ResolvedSandboxOptions {
  const parsed = sandboxOptionsSchema.safeParse(options);
  if (parsed.success) return parsed.data;
  throw new SlipwayError('usage', { problem: `sandbox: ${issuesText(parsed.error)}` });
}
