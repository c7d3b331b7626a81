/** JSON Pointer (RFC 6901), parsed: one string per reference token. */
export type JsonPointer = readonly string[];

const ARRAY_INDEX = /^(?:0|[1-9]\d*)$/;

/** Parses a pointer such as `/data/oss_info/0/oss_url`; the empty text is the whole document. null: not a pointer. */
export function parsePointer(text: string): JsonPointer | null {
  if (text === '') return [];
  // RFC 6901 §3: `~` may only introduce ~0 or ~1.
  if (!text.startsWith('/') || /~(?![01])/.test(text)) return null;
  // RFC 6901 §4: ~1 before ~0, or `~01` would become `/`.
  return text
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The text of a parsed pointer. */
export function formatPointer(pointer: JsonPointer): string {
  return pointer.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The value a pointer names; undefined when there is none. Only own members count: `/constructor` names nothing. */
export function atPointer(document: unknown, pointer: JsonPointer): unknown {
  let here: unknown = document;
  for (const token of pointer) {
    if (Array.isArray(here)) {
      if (!ARRAY_INDEX.test(token)) return undefined;
      here = here[Number(token)];
    } else if (typeof here === 'object' && here !== null && Object.hasOwn(here, token)) {
      here = (here as Readonly<Record<string, unknown>>)[token];
    } else {
      return undefined;
    }
  }
  return here;
}
