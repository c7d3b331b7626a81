/**
 * How a file's name travels in `filename="…"` (`fileNames` of a destination).
 * - `as-is`: as browsers send it: UTF-8, with `"`, CR and LF percent-encoded.
 * - `ascii`: letters without their marks, and `_` for everything else that some parser stumbles over.
 * - `extended`: that, and the whole name beside it in `filename*` (RFC 5987).
 */
export type FileNames = 'as-is' | 'ascii' | 'extended';

export interface SentName {
  /** What stands in `filename="…"`, ready but for its bytes: nothing in it needs escaping. */
  readonly quoted: string;
  /** What stands behind `filename*=`; null: there is none. */
  readonly extended: string | null;
  /** The name where it travels in no header: in a text field, or in JSON. */
  readonly bare: string;
  /** What a server reads that understands it all, for the receipt. */
  readonly read: string;
}

/** @param name base name */
export function sentName(name: string, how: FileNames): SentName {
  if (how === 'as-is') {
    const quoted = browserEscaped(name);
    return { quoted, extended: null, bare: name, read: quoted };
  }
  const ascii = asciiName(name);
  if (how === 'ascii') return { quoted: ascii, extended: null, bare: ascii, read: ascii };
  const extended = ascii === name ? null : `UTF-8''${percentEncoded(name)}`;
  return { quoted: ascii, extended, bare: name, read: name };
}

/** HTML standard, "multipart/form-data encoding algorithm": browsers escape exactly these three and send all else raw. */
export function browserEscaped(text: string): string {
  return text.replaceAll('\n', '%0A').replaceAll('\r', '%0D').replaceAll('"', '%22');
}

/**
 * Never longer than the name in UTF-8, and never a path: what looks like a slash or a dot in Unicode does not become one.
 */
function asciiName(name: string): string {
  const ascii = Array.from(name, asciiOf).join('');
  return /^\.{0,2}$/.test(ascii) ? '_' : ascii;
}

function asciiOf(char: string): string {
  if (/^[\x20-\x7e]$/.test(char)) return char === '"' || char === '\\' ? '_' : char;
  const plain = char.normalize('NFKD').replace(/\p{M}/gu, '');
  if (plain === '' && /^\p{M}$/u.test(char)) return '';
  return /^[A-Za-z0-9 ()+-]{1,3}$/.test(plain) && plain.length <= Buffer.byteLength(char) ? plain : '_';
}

/** RFC 5987, `value-chars`: what encodeURIComponent leaves alone beyond them is encoded too. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[*'()]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
