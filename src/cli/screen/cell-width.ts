/** East Asian wide and full-width forms, and emoji: two cells each (Unicode Standard Annex 11). */
const WIDE =
  /[\u1100-\u115f\u231a\u231b\u23e9-\u23ec\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18d08}\u{1b000}-\u{1b2fb}\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
/** Marks on the character before them, and what is not shown. */
const NONE = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** How many cells of a terminal a text takes. */
export function cellWidth(text: string): number {
  let width = 0;
  for (const char of text) width += widthOf(char);
  return width;
}

/** Fills a text up with spaces to so many cells. */
export function padCells(text: string, cells: number): string {
  return text + ' '.repeat(Math.max(0, cells - cellWidth(text)));
}

/** At most so many cells, less one that terminals wrap at; what does not fit ends in `…`. */
export function fitted(text: string, columns: number): string {
  if (cellWidth(text) < columns) return text;
  let width = 0;
  let kept = '';
  for (const char of text) {
    width += widthOf(char);
    if (width > Math.max(1, columns - 2)) break;
    kept += char;
  }
  return `${kept}…`;
}

function widthOf(char: string): number {
  if (NONE.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
}
