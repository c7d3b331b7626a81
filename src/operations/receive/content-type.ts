import { fileTypeFromBuffer } from 'file-type';

/** What `file-type` looks at. */
export const SNIFFED_BYTES = 4_100;

const UNKNOWN = 'application/octet-stream';
/** Goes into a header of the upload: printable ASCII, a type and a subtype. */
const MEDIA_TYPE = /^[!#$&^_.+a-z0-9-]+\/[!#$&^_.+a-z0-9-]+(?:[ \t]*;[\x20-\x7e]*)?$/i;

/**
 * The content type a received file is sent with.
 * @param said what its part said; null: nothing
 * @param head its first bytes, up to `SNIFFED_BYTES`
 * @returns null: whatever its extension tells
 */
export async function receivedType(said: string | null, head: Buffer): Promise<string | null> {
  const declared = said !== null && MEDIA_TYPE.test(said.trim()) ? said.trim() : null;
  const base = declared?.split(';')[0]?.trim().toLowerCase() ?? null;
  // Form libraries say text/plain of what they know nothing about, so bytes that say otherwise win over it.
  if (base !== null && base !== UNKNOWN && base !== 'text/plain') return declared;
  const found = await fileTypeFromBuffer(head).catch(() => undefined);
  if (found !== undefined) return found.mime;
  return base === 'text/plain' ? declared : null;
}
