// Over 300 lines: the whole vocabulary of a destination stands in one place, each key with its one sentence.
import { z } from 'zod';
import { concurrencySchema, rateSchema } from '../../pacing/options.ts';
import { byteSize, duration } from '../../platform/option-types.ts';
import { pointer, pointers } from '../answer/pointer-types.ts';
import { tokenSourceSchema } from '../token/token-options.ts';
import { partsSchema } from './parts-schema.ts';

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
/** What undici lets through without surprises: an invalid header wedges a bounded pool for good. */
export const HEADER_VALUE = /^[\t\x20-\x7e]*$/;
/** Written by the multipart engine; a second opinion from the config would break the framing. */
const OWN_HEADERS = /^(content-length|content-type|transfer-encoding|connection|expect|host)$/i;

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const httpStatus = z.int().min(100).max(599);
const pattern = z.string().refine(isPattern, 'must be a regular expression');
const template = z.string().min(1);
const headerValue = z
  .string()
  .refine(
    (text) => HEADER_VALUE.test(text),
    'must be printable ASCII: nothing else is safe in an HTTP header',
  );
const headerName = z.string().refine((name) => HEADER_NAME.test(name), 'is not an HTTP header name');

const limits = z.strictObject({
  maxBytes: byteSize().describe('A larger file is skipped before a byte is sent.').optional(),
  minBytes: z.int().min(0).describe('A smaller file is skipped; 1 skips empty files.').optional(),
  extensions: z
    .array(z.string().refine((text) => /^\.[^./\s]+$/.test(text), 'must start with a dot, such as .pdf'))
    .min(1)
    .describe('Only these file name extensions are sent, upper and lower case alike; others are skipped.')
    .optional(),
});

const errorRule = z
  .strictObject({
    status: z
      .union([httpStatus, z.array(httpStatus).min(1)])
      .describe('HTTP status, or several; where `codeIsHttpStatus` is set, the code in the body.')
      .optional(),
    code: z
      .union([scalar, z.array(scalar).min(1)])
      .describe('Value, or several, that one of the `code` pointers finds; 1302 and "1302" are the same.')
      .optional(),
    codePattern: pattern.describe('Regular expression on what the `code` pointers find.').optional(),
    typePattern: pattern.describe('Regular expression on what the `type` pointers find.').optional(),
    messagePattern: pattern.describe('Regular expression on what the `message` pointers find.').optional(),
    kind: z
      .enum(['unauthenticated', 'throttled', 'unavailable', 'rejected', 'misconfigured', 'exhausted'])
      .describe(
        'unauthenticated: read the token again; throttled, unavailable: try later; rejected: this file fails; misconfigured, exhausted: stop the destination and keep its files.',
      ),
    clock: z
      .boolean()
      .describe('The signature was refused: sign once more with the far side’s own time before giving up.')
      .optional(),
    hint: z.string().min(1).describe('What to do about it; added to the message.').optional(),
  })
  .refine(
    (rule) =>
      [rule.status, rule.code, rule.codePattern, rule.typePattern, rule.messagePattern].some(
        (test) => test !== undefined,
      ),
    'needs a condition: status, code, codePattern, typePattern or messagePattern',
  );

const success = z.strictObject({
  status: z
    .union([z.literal('2xx'), z.literal('any'), httpStatus, z.array(httpStatus).min(1)])
    .describe('HTTP statuses of a success. `any`: the body alone decides.')
    .optional(),
  equals: z
    .record(pointer, scalar)
    .describe('JSON Pointer → the value it must find, types compared exactly.')
    .optional(),
  nonEmpty: pointers
    .describe('JSON Pointers that must find something other than null, "" or an empty list.')
    .optional(),
});

const answer = z.strictObject({
  url: pointers
    .describe('Where the file’s URL is in the answer; of several pointers the first hit wins.')
    .optional(),
  urlTail: pointers
    .describe('Where the end of that URL stands alone: it is percent-encoded, since the API does not.')
    .optional(),
  id: pointers.describe('Where the file’s id is.').optional(),
  expiresAt: pointers
    .describe('Where the file’s end of life is: Unix seconds or milliseconds, or a date.')
    .optional(),
  bytes: pointers
    .nullable()
    .describe(
      'Where the size the far side stored is: it is compared with what was sent. null: not compared, for an API that counts otherwise.',
    )
    .optional(),
  message: pointers.describe('Where the reason of a failure is.').optional(),
  code: pointers.describe('Where the code of a failure is; the error table looks at every hit.').optional(),
  type: pointers.describe('Where the class of a failure is.').optional(),
  trace: pointers
    .describe('Where the id that the service’s support asks for is; kept in the message.')
    .optional(),
  traceHeader: headerName.describe('Response header with that id.').optional(),
  codeIsHttpStatus: z
    .boolean()
    .describe(
      'The code in the body is the real HTTP status, and the status of the answer itself means nothing.',
    )
    .optional(),
});

const readiness = z.strictObject({
  url: template.describe('Address of a GET that tells the state of `{id}`; on the same host as the upload.'),
  status: pointers.describe('Where the state is in its answer.'),
  ready: z.array(z.string()).min(1).describe('States of a file that can be used.'),
  failed: z.array(z.string()).describe('States of a file that will never be usable.'),
  interval: duration('2s', { minMs: 1 }).describe('Pause between two looks at one file.'),
  deadline: duration('10m', { minMs: 1 }).describe('A file not ready by then is given up on.'),
  perSecond: z.number().positive().max(1000).default(10).describe('Looks per second at all files together.'),
});

const call = z.strictObject({ method: z.enum(['GET', 'DELETE', 'POST']), url: template });

/** What a preset and a user's destination have in common. No defaults: an override must not bring any along. */
const shape = {
  method: z.enum(['POST', 'PUT']).describe('HTTP method of the upload.'),
  url: template.describe('Where to send. `{base}` and other `{names}` are filled in from params.'),
  params: z
    .record(z.string(), z.string().min(1))
    .describe('Values for the `{names}` in url, such as base (scheme, host and path prefix).'),
  regions: z
    .record(z.string(), z.record(z.string(), z.string().min(1)))
    .describe('Region → params. An account usually belongs to one region.'),
  region: z.string().describe('Which of the regions to use.'),
  query: z
    .record(z.string(), z.string())
    .describe('Added to the URL. Not for secrets: URLs end up in other people’s logs.'),
  headers: z
    .record(headerName, headerValue)
    .refine((headers) => !Object.keys(headers).some((name) => OWN_HEADERS.test(name)), {
      error:
        'must not name a header that the upload writes itself (Content-*, Transfer-Encoding, Connection, Expect, Host)',
    })
    .describe('Sent with every upload.'),
  fileField: z.string().min(1).describe('Name of the form field that carries the file.'),
  fileNames: z
    .enum(['as-is', 'ascii', 'extended'])
    .describe(
      'How file names travel. as-is: as browsers send them; ascii: without what parsers stumble over (accents, other scripts, `"`, `\\`, control characters); extended: so, with the whole name beside it in `filename*`.',
    ),
  fields: z
    .record(z.string().min(1), z.union([z.string(), z.number(), z.boolean(), z.null()]))
    .describe(
      'Text fields, sent before the file in this order; {filename} and {extension} in a value are the file’s own. null takes a preset’s field away.',
    ),
  allowedFields: z
    .record(z.string().min(1), z.array(z.string()))
    .describe(
      'When given, no other text field may be sent; a list that is not empty names its allowed values.',
    ),
  requiredFields: z
    .array(z.string().min(1))
    .describe('Text fields without which the API refuses every upload.'),
  auth: z
    .strictObject({
      header: headerName.describe('Header that carries the token.').optional(),
      scheme: headerValue
        .min(1)
        .nullable()
        .describe('Word before the token, unless the token already begins with it; null: the bare token.')
        .optional(),
    })
    .describe('How the token travels.'),
  token: tokenSourceSchema.describe('Where the token comes from.'),
  signer: z
    .union([
      z.literal('none'),
      z.strictObject({
        kind: z.literal('md5-appid'),
        appid: headerValue.min(1).describe('Sent as X-Auth-Appid and signed.'),
        key: z.string().min(1).describe('Signed, never sent.'),
      }),
    ])
    .describe('Signature computed for each attempt: md5(appid & Unix seconds & key), or none.'),
  success: success.describe('When an answer is a success. It must hold a URL or an id in any case.'),
  answer: answer.describe('Where things are in the answer, as JSON Pointers.'),
  errors: z
    .array(errorRule)
    .describe(
      'What failures mean; the first rule whose every condition holds wins, yours before the preset’s.',
    ),
  limits: limits.describe('Checked before a byte is sent; a file outside them is skipped.'),
  limitsBy: z
    .strictObject({
      field: z.string().min(1).describe('Text field whose value chooses.'),
      values: z.record(z.string(), limits).describe('Value of that field → limits.'),
    })
    .describe('Limits that depend on a text field, such as purpose.'),
  readiness: readiness.describe(
    'How to see whether an uploaded file can be used yet; asked when waitUntilReady is set.',
  ),
  parts: partsSchema
    .nullable()
    .describe('How a file too large for one request is sent; null: never in parts.'),
  ref: z
    .string()
    .refine((text) => /\{(url|id)\}/.test(text), 'must hold {url} or {id}')
    .describe('How downstream cites the file: a text with {url} or {id}, such as fileid://{id}.'),
  visibility: z
    .enum(['public', 'private', 'unknown'])
    .describe('public: anyone who has the URL can read the file, which must be acknowledged once.'),
};

const overridable = z.strictObject(shape).partial();

/** A preset: a destination definition that ships as data, with what is known about the service. */
export const presetSchema = overridable.extend({
  title: z.string().min(1),
  checked: z.string().regex(/^\d{4}-\d{2}$/),
  source: z.array(z.string().min(1)).min(1),
  verified: z.enum(['sandbox', 'live']),
  visibility: shape.visibility,
  /** Documented upload quota. */
  rate: rateSchema.optional(),
  list: call.optional(),
  get: call.optional(),
  remove: call.optional(),
  content: call.optional(),
});

/** What a user writes under `destinations.<name>`: a preset with overrides, or a definition of their own. */
export const destinationConfigSchema = overridable.extend({
  preset: z.string().describe('Preset to start from; `slipway destinations list` names them.').optional(),
  acknowledgePublic: z
    .boolean()
    .describe('You know that anyone who has the URL of an uploaded file can read it.')
    .optional(),
  waitUntilReady: z
    .boolean()
    .describe('A file counts as uploaded only once the far side says it can be used.')
    .optional(),
  concurrency: concurrencySchema.describe('Uploads at once towards this destination.').optional(),
  rate: rateSchema
    .nullable()
    .describe(
      'Uploads per second or minute, all processes together; null: no quota, whatever the preset says.',
    )
    .optional(),
});

/** A definition after preset and overrides were put together: every default is here and nowhere else. */
export const wholeDefinitionSchema = z.strictObject({
  ...shape,
  method: shape.method.default('POST'),
  params: shape.params.default({}),
  regions: shape.regions.default({}),
  region: shape.region.nullable().default(null),
  query: shape.query.default({}),
  headers: shape.headers.default({}),
  fileField: shape.fileField.default('file'),
  fileNames: shape.fileNames.default('as-is'),
  fields: shape.fields.default({}),
  allowedFields: shape.allowedFields.nullable().default(null),
  requiredFields: shape.requiredFields.default([]),
  auth: z
    .strictObject({
      header: headerName.default('Authorization'),
      scheme: headerValue.nullable().default('Bearer'),
    })
    .prefault({}),
  token: tokenSourceSchema.nullable().default(null),
  signer: shape.signer.default('none'),
  success: z
    .strictObject({
      status: success.shape.status.unwrap().default('2xx'),
      equals: success.shape.equals.unwrap().default({}),
      nonEmpty: pointers.default([]),
    })
    .prefault({}),
  answer: z.strictObject({
    url: pointers.default([]),
    urlTail: pointers.default([]),
    id: pointers.default([]),
    expiresAt: pointers.default([]),
    bytes: pointers.nullable().default([]),
    message: pointers.default(['/error/message', '/message', '/msg', '/error']),
    code: pointers.default(['/error/code', '/code']),
    type: pointers.default(['/error/type', '/type']),
    trace: pointers.default([]),
    traceHeader: headerName.nullable().default(null),
    codeIsHttpStatus: z.boolean().default(false),
  }),
  errors: shape.errors.default([]),
  limits: limits.default({}),
  limitsBy: shape.limitsBy.nullable().default(null),
  readiness: readiness.nullable().default(null),
  parts: shape.parts.default(null),
  ref: shape.ref.nullable().default(null),
  visibility: shape.visibility.default('unknown'),
});

export type Preset = Readonly<z.output<typeof presetSchema>>;
export type DestinationConfig = Readonly<z.output<typeof destinationConfigSchema>>;
export type WholeDefinition = Readonly<z.output<typeof wholeDefinitionSchema>>;

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}
