import { z } from 'zod';
import { parsePointer } from '../../platform/files/json-pointer.ts';

/** One JSON Pointer as written in a definition. */
export const pointer = z
  .string()
  .refine((text) => parsePointer(text) !== null, 'must be a JSON Pointer such as /data/id')
  .describe('JSON Pointer (RFC 6901).');

/** One or several, of which the first hit wins. */
export const pointers = z.union([pointer, z.array(pointer).min(1)]);
