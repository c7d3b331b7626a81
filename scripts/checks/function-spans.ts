import { basename } from 'node:path';

/** Where a function stands, counted from 1, both ends included. */
export interface FunctionPlace {
  /** Below the project. */
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

export interface FunctionSpan extends FunctionPlace {
  /** `recorder#startRecorder`: base name of the file and name of the function, so that a move to another folder is none. */
  readonly name: string;
  readonly lines: number;
  /** Why it may be long; null: nothing is said. */
  readonly reason: string | null;
}

export const MAX_FUNCTION_LINES = 80;

const REASON = new RegExp(`^\\s*// Over ${MAX_FUNCTION_LINES} lines: (\\S.{10,})$`);
const NAME =
  /(?:function\*?\s+|const\s+|let\s+|async\s+|get\s+|^\s*)([A-Za-z_$][\w$]*)\s*(?:<[^(]*>)?\s*[(=:]/;

/** Looks at a function in the text of its file: its name as its first line has it, and the reason above it. */
export function spanOf(place: FunctionPlace, text: string): FunctionSpan {
  const lines = text.split('\n');
  const first = lines[place.from - 1] ?? '';
  return {
    ...place,
    name: `${basename(place.path, '.ts')}#${NAME.exec(first)?.[1] ?? ''}`,
    lines: place.to - place.from + 1,
    reason: reasonAbove(lines, place.from - 1),
  };
}

/** The reason may stand on either side of the doc comment. */
function reasonAbove(lines: readonly string[], start: number): string | null {
  let at = start - 1;
  const direct = REASON.exec(lines[at] ?? '');
  if (direct !== null) return direct[1] ?? null;
  if (!(lines[at] ?? '').trimEnd().endsWith('*/')) return null;
  while (at >= 0 && !(lines[at] ?? '').trimStart().startsWith('/*')) at -= 1;
  return REASON.exec(lines[at - 1] ?? '')?.[1] ?? null;
}

/** Every function that is too long without a reason. */
export function functionBreaches(spans: readonly FunctionSpan[]): readonly string[] {
  return spans
    .filter(({ lines, reason }) => lines > MAX_FUNCTION_LINES && reason === null)
    .map(
      ({ path, from, name, lines }) =>
        `${path}:${from}: function-length: ${name} has ${lines} lines: tell it in parts, or write "// Over ${MAX_FUNCTION_LINES} lines: <reason>" above it`,
    );
}
