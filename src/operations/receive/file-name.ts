const MAX_BYTES = 255;
/** A longer one is a sentence with a dot in it. */
const MAX_EXTENSION_BYTES = 32;
const CONTROL = /\p{Cc}/gu;
/** They make `gpj.exe` read as `exe.jpg`: embeddings, overrides, isolates (Unicode TR 9). */
const BIDI = /[\u202a-\u202e\u2066-\u2069]/g;
const TRAILING = /[. ]+$/;
/** Windows takes these for devices whatever extension follows. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])[ ]*(?:\.|$)/i;

/**
 * The name a file is kept and sent under, from what a client said. Everything harmless stays: Chinese, spaces, quotes.
 * @returns never empty, at most 255 bytes of UTF-8, without a path
 */
export function safeFileName(said: string): string {
  const base = said.slice(Math.max(said.lastIndexOf('/'), said.lastIndexOf('\\')) + 1);
  const clean = base.toWellFormed().replace(CONTROL, '').replace(BIDI, '').replace(TRAILING, '');
  if (clean === '') return 'file';
  return shortened(DEVICE.test(clean) ? `_${clean}` : clean);
}

function shortened(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name;
  const dot = name.lastIndexOf('.');
  const tail = dot > 0 ? name.slice(dot) : '';
  const extension = Buffer.byteLength(tail) <= MAX_EXTENSION_BYTES ? tail : '';
  const stem = cut(name.slice(0, name.length - extension.length), MAX_BYTES - Buffer.byteLength(extension));
  return extension === '' ? stem.replace(TRAILING, '') : `${stem}${extension}`;
}

/** Between characters: half of one is none. */
function cut(text: string, maxBytes: number): string {
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    end += character.length;
  }
  return text.slice(0, end);
}
