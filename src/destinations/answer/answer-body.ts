import { atPointer, type JsonPointer } from '../../platform/files/json-pointer.ts';

/**
 * Perhaps an integer of more digits than a number can hold exactly: some services send 64-bit ids so. Most digits in a
 * row stand within a text, and looking at every value for them makes parsing five times slower.
 */
const LONG_NUMBER = /(?:^|[[:,\s])-?\d{16}/;

/** The answer's JSON, or undefined where it is none (HTML, empty, cut off). Integers beyond 2^53 become strings. */
export function parseAnswer(text: string): unknown {
  const json = text.replace(/^\uFEFF/, '');
  try {
    return LONG_NUMBER.test(json) ? JSON.parse(json, exactInteger) : JSON.parse(json);
  } catch {
    return undefined;
  }
}

function exactInteger(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  const lossy = typeof value === 'number' && !Number.isSafeInteger(value);
  return lossy && source !== undefined && /^-?\d+$/.test(source) ? source : value;
}

/** The first pointer that finds a text or a number, as text; empty texts do not count. */
export function textAt(body: unknown, pointers: readonly JsonPointer[]): string | null {
  return textsAt(body, pointers)[0] ?? null;
}

/** What every pointer finds, as text. */
export function textsAt(body: unknown, pointers: readonly JsonPointer[]): readonly string[] {
  return pointers.flatMap((pointer) => {
    const value = atPointer(body, pointer);
    if (typeof value === 'number') return [String(value)];
    return typeof value === 'string' && value.trim() !== '' ? [value] : [];
  });
}

/** Whether a pointer finds something: not null, not "", not an empty list or object. */
export function isFilled(body: unknown, pointer: JsonPointer): boolean {
  const value = atPointer(body, pointer);
  if (value === undefined || value === null || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
