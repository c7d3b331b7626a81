import { z } from 'zod';
import { SlipwayError } from '../../domain/errors.ts';
import { issuesText } from '../issues-text.ts';

/** The peers that can misbehave. */
export const API_NAMES = ['token', 'autoglm', 'vectorx', 'dashscope', 'openai'] as const;
export type ApiName = (typeof API_NAMES)[number];

export const OPERATIONS = [
  'token',
  'upload',
  'retrieve',
  'list',
  'delete',
  'content',
  'create-upload',
  'add-part',
  'complete-upload',
  'cancel-upload',
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Which requests a rule strikes. Without every, times or probability: all that match. */
const selection = {
  api: z.enum([...API_NAMES, '*']).default('*'),
  operation: z.enum(OPERATIONS).optional(),
  /** Only files of exactly this name; known once the body is in, so not for `reset-before-body` or `token`. */
  filename: z.string().optional(),
  /** The first this many matching requests are left alone. */
  after: z.int().min(0).default(0),
  every: z.int().min(1).optional(),
  /** Strikes at most this often, then never again. */
  times: z.int().min(1).optional(),
  probability: z.number().min(0).max(1).optional(),
};

const httpStatus = z.int().min(200).max(599);

/** Faults that are their name alone. */
const plainActions = [
  'reset-before-body',
  'reset-after-body',
  'store-then-reset',
  'store-then-500',
  '401',
  '500',
  '503',
  'hang',
  'store-then-hang',
  'empty',
  'truncated-json',
] as const;

export const faultRuleSchema = z
  .discriminatedUnion('action', [
    z.strictObject({ ...selection, action: z.enum(plainActions) }),
    z.strictObject({
      ...selection,
      action: z.literal('429'),
      retryAfter: z.union([z.number(), z.string()]).optional(),
    }),
    z.strictObject({ ...selection, action: z.literal('status'), status: httpStatus }),
    z.strictObject({
      ...selection,
      action: z.literal('redirect'),
      location: z.string(),
      status: httpStatus.default(307),
    }),
    z.strictObject({ ...selection, action: z.literal('html'), status: httpStatus.default(200) }),
    z.strictObject({
      ...selection,
      action: z.literal('huge-json'),
      bytes: z
        .int()
        .min(1)
        .default(10 * 1024 * 1024),
    }),
    z.strictObject({ ...selection, action: z.literal('slow'), ms: z.number().min(0) }),
    z.strictObject({
      ...selection,
      action: z.literal('code'),
      code: z.union([z.int(), z.string()]),
      message: z.string().default('fault on request'),
      /** Default: 200 for AutoGLM and VectorX, 400 for the others, 429 for insufficient_quota. */
      status: httpStatus.optional(),
      /** `other`: the API's second documented error shape, where it has one. */
      shape: z.enum(['usual', 'other']).default('usual'),
    }),
    z.strictObject({
      ...selection,
      action: z.literal('token'),
      form: z.enum(['bearer', 'bare', 'json-string', 'object', 'nested-object']).default('bearer'),
      /** Property that holds the token in the object forms. */
      key: z.enum(['token', 'access_token', 'bearer_token']).default('token'),
      /** White space around the answer. */
      padded: z.boolean().default(false),
      lifetimeSeconds: z.number().optional(),
      /** Requests the token is good for. */
      uses: z.int().min(0).optional(),
      /** Characters inside that no header may carry. */
      unprintable: z.boolean().default(false),
    }),
  ])
  .refine((rule) => rule.filename === undefined || !['reset-before-body', 'token'].includes(rule.action), {
    path: ['filename'],
    error: 'is not known yet when this action strikes',
  });

/** One thing that goes wrong, as a caller writes it. */
export type FaultRuleInput = z.input<typeof faultRuleSchema>;
export type FaultPlan = FaultRuleInput[];
/** The same with every default in place. */
export type FaultRule = z.output<typeof faultRuleSchema>;
export type TokenFault = Extract<FaultRule, { action: 'token' }>;

/** Fills in defaults. Throws SlipwayError `usage` naming every wrong key. */
export function parseFaultPlan(plan: FaultPlan): FaultRule[] {
  const parsed = z.array(faultRuleSchema).safeParse(plan);
  if (parsed.success) return parsed.data;
  throw new SlipwayError('usage', { problem: `faults: ${issuesText(parsed.error)}` });
}
