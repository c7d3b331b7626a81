import { z } from 'zod';
import { byteSize, duration } from '../../platform/option-types.ts';
import { pointer, pointers } from '../answer/pointer-types.ts';

const partUrl = z
  .string()
  .min(1)
  .describe('On the same host as the upload; `{upload}` is the id that `create` answered.');
const member = z.string().min(1);

const create = z.strictObject({
  url: z.string().min(1).describe('POST of a JSON object that announces the file.'),
  bytes: member.default('bytes').describe('Member that carries the file’s size.'),
  filename: member.default('filename').describe('Member that carries the file’s name.'),
  contentType: member.default('mime_type').describe('Member that carries the file’s content type.'),
  numbers: z
    .array(member)
    .default([])
    .describe('Text fields that are numbers there; the others go along as texts, `a[b]` as a member of a.'),
  id: pointers.describe('Where the id of the upload is in the answer.'),
});

const part = z.strictObject({
  url: partUrl,
  field: member.default('data').describe('Form field that carries the bytes of a part.'),
  id: pointers.describe('Where the id of the part is in the answer.'),
});

const complete = z.strictObject({
  url: partUrl,
  partIds: member.describe('Member that carries the list of part ids, in the order of the file.'),
  md5: member
    .optional()
    .describe('Member that carries the md5 of the whole file, where the API compares it.'),
  file: pointer.describe('Where the answer holds what a plain upload answers; `answer` holds from there on.'),
});

/** How a file too large for one request is sent: announced, in parts, put together. */
export const partsSchema = z.strictObject({
  above: byteSize().describe('A larger file goes in parts.'),
  maxBytes: byteSize().describe('Largest file that may go in parts; a larger one is skipped.'),
  partBytes: byteSize()
    .refine((bytes) => bytes > 0, 'must be more than nothing')
    .describe('Size of a part; the last one is smaller.'),
  atOnce: z.int().min(1).max(16).default(4).describe('Parts of one file under way at once.'),
  lifetime: duration(undefined, { minMs: 1 })
    .optional()
    .describe('How long the API waits for the last part; a file that takes longer is tried again later.'),
  create,
  part,
  complete,
  cancel: z
    .strictObject({ url: partUrl })
    .optional()
    .describe('Told when a file is given up half-way, so that its parts are not kept there.'),
});

export type PartsConfig = Readonly<z.output<typeof partsSchema>>;
