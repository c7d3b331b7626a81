import type { Receipt } from '../../domain/receipt.ts';

type Cell = string | number | null | undefined;

/** One column a line: what a spreadsheet can use. `remote` is left out; the journal has it. */
const COLUMNS: readonly (readonly [name: string, of: (receipt: Receipt) => Cell])[] = [
  ['source', ({ source }) => source],
  ['path', ({ path }) => path],
  ['status', ({ status }) => status],
  ['destination', ({ destination }) => destination],
  ['url', ({ url }) => url],
  ['fileId', ({ fileId }) => fileId],
  ['ref', ({ ref }) => ref],
  ['bytes', ({ bytes }) => bytes],
  ['sha256', ({ sha256 }) => sha256],
  ['contentType', ({ contentType }) => contentType],
  ['mtime', ({ mtime }) => mtime],
  ['expiresAt', ({ expiresAt }) => expiresAt],
  ['attempts', ({ attempts }) => attempts],
  ['queuedAt', ({ queuedAt }) => queuedAt],
  ['uploadedAt', ({ uploadedAt }) => uploadedAt],
  ['recordedAt', ({ recordedAt }) => recordedAt],
  ['durationMs', ({ durationMs }) => durationMs],
  ['batch', ({ batch }) => batch],
  ['errorCode', ({ error }) => error?.code],
  ['errorKind', ({ error }) => error?.kind],
  ['errorMessage', ({ error }) => error?.message],
  ['errorHttpStatus', ({ error }) => error?.httpStatus],
  ['id', ({ id }) => id],
  ['gen', ({ gen }) => gen],
  ['pathBytes', ({ pathBytes }) => pathBytes],
  ['reusedFrom', ({ reusedFrom }) => reusedFrom],
  ['meta', ({ meta }) => (meta === undefined ? null : JSON.stringify(meta))],
];

/**
 * A spreadsheet takes a cell that begins so for a formula, and file names come from anybody: after blanks and what is not
 * shown, in full-width forms, and after the `;` at which a spreadsheet of another country cuts.
 */
const FORMULA = /^[\s\p{Cf};]*[=+\-@＝＋－＠]|^[\t\r]/u;
const NEEDS_QUOTES = /[",;\r\n]/;

/** RFC 4180: the first record names the columns, records end with CRLF. */
export const CSV_HEADER = `${COLUMNS.map(([name]) => name).join(',')}\r\n`;

/** One record. A text that a spreadsheet would calculate gets an apostrophe in front, which it does not show. */
export function csvRecord(receipt: Receipt): string {
  return `${COLUMNS.map(([, of]) => csvCell(of(receipt))).join(',')}\r\n`;
}

function csvCell(value: Cell): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
