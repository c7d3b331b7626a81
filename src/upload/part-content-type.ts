import { extname } from 'node:path/posix';
import { lookup } from 'mime-types';

const UNKNOWN = 'application/octet-stream';

/**
 * Content type of the file part, by the extension of its name.
 * @param baseName last part of the path; a name that is all extension (`.png`) or has none is of no known type
 */
export function partContentType(baseName: string): string {
  const extension = extname(baseName);
  return (extension !== '' && lookup(extension)) || UNKNOWN;
}
