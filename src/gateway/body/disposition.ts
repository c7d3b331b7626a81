/** What a part's Content-Disposition says. */
export interface Disposition {
  readonly name: string | null;
  readonly filename: string | null;
}

const PARAMETER = /;[ \t]*([!#$%&'*+.^_`|~\w-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))/gs;

/**
 * Reads `form-data; name="…"; filename="…"`. Pure.
 * @param value as the parser gives it: one character per byte
 * @returns null: it is no form-data
 */
export function parseDisposition(value: string): Disposition | null {
  const text = Buffer.from(value, 'latin1').toString('utf8');
  if (!/^[ \t]*form-data[ \t]*(?:;|$)/i.test(text)) return null;
  let name: string | null = null;
  let filename: string | null = null;
  let extended: string | null = null;
  for (const [, key = '', quoted, bare = ''] of text.matchAll(PARAMETER)) {
    const found = quoted === undefined ? bare : unescaped(quoted);
    switch (key.toLowerCase()) {
      case 'name':
        name ??= percentDecoded(found);
        break;
      case 'filename':
        filename ??= percentDecoded(found);
        break;
      case 'filename*':
        extended ??= extendedValue(found);
        break;
      default:
    }
  }
  // RFC 7578 forbids filename*; some libraries send nothing else for a name that is not ASCII.
  return { name, filename: filename ?? extended };
}

/** Only quotes and backslashes are escaped by anybody; any other backslash is one of a Windows path. */
function unescaped(text: string): string {
  return text.replace(/\\(["\\])/g, '$1');
}

/** Browsers and curl write these three so (HTML standard, "multipart/form-data encoding algorithm"). */
function percentDecoded(text: string): string {
  return text.replace(/%22/g, '"').replace(/%0D/gi, '\r').replace(/%0A/gi, '\n');
}

/** RFC 8187: `UTF-8''%e6%8a%a5`. */
function extendedValue(text: string): string | null {
  const [, charset = '', encoded = ''] = /^([^']*)'[^']*'(.*)$/s.exec(text) ?? [];
  const bytes = Buffer.from(
    encoded.replace(/%([0-9a-f]{2})/gi, (_whole, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    ),
    'latin1',
  );
  if (/^utf-8$/i.test(charset)) return bytes.toString('utf8');
  return /^iso-8859-1$/i.test(charset) ? bytes.toString('latin1') : null;
}
