import { z } from 'zod';
import { WEBHOOK_EVENTS } from '../domain/delivery.ts';
import { duration } from '../platform/option-types.ts';
import { secretProblem } from './send/secret.ts';

const secretSchema = z
  .union([z.string(), z.array(z.string()).min(1).max(2)], {
    error: 'must be a secret `whsec_…`, or a list of two while you change it',
  })
  .superRefine((value, context) => {
    for (const [index, text] of (Array.isArray(value) ? value : [value]).entries()) {
      const message = secretProblem(text);
      const path = Array.isArray(value) ? [index] : [];
      if (message !== null) context.addIssue({ code: 'custom', path, message });
    }
  });

const batchSchema = z.strictObject({
  maxItems: z
    .int()
    .min(1)
    .max(1_000)
    .default(100)
    .describe('most receipts in one `files.settled`; they come without `remote`, some 700 bytes each'),
  maxWait: duration('1s', { maxMs: 3_600_000 }).describe(
    'how long the first receipt of a `files.settled` waits for more',
  ),
});

export const NO_USER_INFO =
  'must not hold a user name or password: put them into headers.authorization, `Basic <base64 of user:password>`';

/** What HTTP endpoints and local commands have in common. */
const deliveryShape = {
  events: z
    .array(z.enum(WEBHOOK_EVENTS))
    .min(1)
    .default(['file.uploaded', 'file.failed', 'batch.completed'])
    .describe('what it is told'),
  batch: batchSchema
    .nullable()
    .default(null)
    .describe('tell of files in windows (`files.settled`) instead of one by one'),
};

const timeoutOption = (defaultText: string, maxMs: number) =>
  duration(defaultText, { minMs: 100, maxMs }).describe(
    'for one attempt from beginning to end; what takes longer counts as failed and is tried again',
  );

const concurrencyOption = (most: number) =>
  z.int().min(1).max(256).default(most).describe('deliveries to it at once, per source');

/** One webhook endpoint (contract §8). */
export const webhookSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[\p{L}\p{N}][\p{L}\p{N} _.-]{0,47}$/u,
      'must be 1 to 48 letters, digits, `_`, `.`, `-` or spaces, a letter or digit first',
    )
    .describe('names the endpoint for good: what it has been told, and every webhook-id, hang on it'),
  sources: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('whose files it is told of; left out: of every source'),
  url: z
    .string()
    .refine(isHttpUrl, 'must be an http or https URL')
    .refine((text) => !hasUserInfo(text), NO_USER_INFO)
    .describe('where events are posted to; redirects are not followed'),
  secret: secretSchema.describe(
    'signs every delivery: `whsec_` and base64 of 24 to 64 bytes (slipway webhooks secret makes one); two sign at once while you change it',
  ),
  headers: z
    .record(z.string(), z.string())
    .default({})
    .superRefine((headers, context) => {
      for (const [name, value] of Object.entries(headers)) {
        const problem = headerProblem(name, value);
        if (problem !== null) context.addIssue({ code: 'custom', path: [name], message: problem });
      }
    })
    .describe('sent with every delivery, besides the signed ones'),
  ...deliveryShape,
  concurrency: concurrencyOption(10),
  timeout: timeoutOption('15s', 120_000),
});

/** `onSettled` of a source: a local program in place of an endpoint. */
export const commandSinkSchema = z.strictObject({
  command: z
    .array(z.string())
    .min(1)
    .refine(([program]) => program !== '', 'must begin with the program')
    .describe('program and arguments; no shell. The event is on its stdin, exit code 0 acknowledges it'),
  ...deliveryShape,
  concurrency: concurrencyOption(1),
  timeout: timeoutOption('60s', 86_400_000),
});

export type WebhookOptions = z.output<typeof webhookSchema>;
export type CommandSinkOptions = z.output<typeof commandSinkSchema>;

const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const OURS =
  /^(?:webhook-.*|content-type|content-length|transfer-encoding|connection|keep-alive|expect|upgrade|host)$/i;

function headerProblem(name: string, value: string): string | null {
  if (!TOKEN.test(name)) return 'is not a valid header name';
  if (OURS.test(name)) return 'is set by Slipway: remove it';
  return VALUE.test(value) ? null : 'holds characters that no HTTP header may carry';
}

/** Nothing would send it: requests leave out what is before the `@`. */
export function hasUserInfo(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.username !== '' || url.password !== '');
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return url?.protocol === 'http:' || url?.protocol === 'https:';
}
