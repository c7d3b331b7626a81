import { extname } from 'node:path/posix';
import { lookup } from 'mime-types';

const UNKNOWN = 'application/octet-stream';

/** Looked up once per extension: an archive has millions of files and a dozen of these. */
const types = new Map<string, string>();
const MAX_TYPES = 1_000;

/**
 * Content type of the file part, by the extension of its name.
 * @param baseName last part of the path; a name that is all extension (`.png`) or has none is of no known type
 */
export function partContentType(baseName: string): string {
  const extension = extname(baseName);
  if (extension === '') return UNKNOWN;
  let type = types.get(extension);
  if (type === undefined) {
    type = lookup(extension) || UNKNOWN;
    if (types.size < MAX_TYPES) types.set(extension, type);
  }
  return type;
}
