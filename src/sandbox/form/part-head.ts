import { isUtf8 } from 'node:buffer';

/** The header block of one multipart part. */
export interface PartHead {
  readonly name: string;
  /** As sent, `%22` and the like not decoded: servers differ there. null: a text field. */
  readonly filename: string | null;
  readonly contentType: string | null;
}

export type PartHeadResult = { readonly head: PartHead } | { readonly problem: string };

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(`[ \\t]*;[ \\t]*(${TOKEN})=(?:"([^"]*)"|(${TOKEN}))`, 'y');
/** `s`: a name may hold U+2028 or U+2029, at which a dot stops otherwise. */
const FIELD_LINE = new RegExp(`^(${TOKEN}):[ \\t]*(.*?)[ \\t]*$`, 's');

/**
 * Reads a part's header block, without its final empty line. Strict (RFC 7578 §4.2 and the browsers' rule for names):
 * one form-data disposition with a quoted or token name, no `filename*`, no folded lines, no stray CR, LF or NUL.
 */
export function parsePartHead(block: Buffer): PartHeadResult {
  if (!isUtf8(block)) return { problem: 'part headers are not UTF-8' };
  let head: { name: string; filename: string | null } | null = null;
  let contentType: string | null = null;
  for (const line of block.toString('utf8').split('\r\n')) {
    if (line.includes('\n') || line.includes('\r') || line.includes('\0'))
      return { problem: 'stray control character in a part header' };
    const field = FIELD_LINE.exec(line);
    if (field?.[1] === undefined || field[2] === undefined) return { problem: 'malformed part header line' };
    const fieldName = field[1].toLowerCase();
    if (fieldName === 'content-type') contentType = field[2];
    if (fieldName !== 'content-disposition') continue;
    if (head !== null) return { problem: 'two Content-Disposition headers in one part' };
    const disposition = parseDisposition(field[2]);
    if ('problem' in disposition) return disposition;
    head = disposition;
  }
  return head === null
    ? { problem: 'a part without Content-Disposition' }
    : { head: { ...head, contentType } };
}

function parseDisposition(value: string): { name: string; filename: string | null } | { problem: string } {
  const kind = /^form-data(?=[ \t;]|$)/i.exec(value);
  if (kind === null) return { problem: 'a part that is not form-data' };
  const parameters = parseParameters(value.slice(kind[0].length));
  if (parameters === null)
    return { problem: 'malformed Content-Disposition (is a quote in the name unescaped?)' };
  if (parameters.has('filename*')) return { problem: 'filename* is not allowed in multipart/form-data' };
  const name = parameters.get('name');
  if (name === undefined) return { problem: 'a part without a name' };
  return { name, filename: parameters.get('filename') ?? null };
}

/** `; a=b; c="d"` as a map with lower-case names. A backslash is itself, as browsers send it. null: malformed or repeated. */
export function parseParameters(text: string): ReadonlyMap<string, string> | null {
  const parameters = new Map<string, string>();
  let position = 0;
  while (position < text.length) {
    PARAMETER.lastIndex = position;
    const match = PARAMETER.exec(text);
    const value = match?.[2] ?? match?.[3];
    const name = match?.[1]?.toLowerCase();
    if (name === undefined || value === undefined || parameters.has(name)) return null;
    parameters.set(name, value);
    position = PARAMETER.lastIndex;
  }
  return parameters;
}

/** The boundary of a multipart/form-data Content-Type, or null (RFC 2046 §5.1.1: 1 to 70 characters of a small set). */
export function boundaryOf(contentType: string | undefined): string | null {
  const kind = /^multipart\/form-data(?=[ \t;])/i.exec(contentType ?? '');
  if (kind === null || contentType === undefined) return null;
  const boundary = parseParameters(contentType.slice(kind[0].length).trimEnd())?.get('boundary');
  if (boundary === undefined || !/^[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]$/.test(boundary))
    return null;
  return boundary;
}
