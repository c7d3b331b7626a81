import type { FilePart, TextPart } from './read-form.ts';

/** The file and the text fields of a form, checked against what the API knows. */
export type FormFields =
  | { readonly kind: 'ok'; readonly file: FilePart; readonly fields: Readonly<Record<string, string>> }
  | { readonly kind: 'unknown'; readonly name: string }
  | { readonly kind: 'repeated'; readonly name: string }
  | { readonly kind: 'no-file' };

/** Exactly one file part of this name, text fields of the known names, each at most once, nothing else. */
export function fileAndFields(
  parts: readonly (TextPart | FilePart)[],
  fileField: string,
  known: readonly string[],
): FormFields {
  let file: FilePart | null = null;
  const fields: Record<string, string> = {};
  for (const part of parts) {
    const { name } = part;
    const isFile = part.kind === 'file';
    if (isFile ? name !== fileField : !known.includes(name)) {
      return name === fileField ? { kind: 'no-file' } : { kind: 'unknown', name };
    }
    if (isFile ? file !== null : Object.hasOwn(fields, name)) return { kind: 'repeated', name };
    if (isFile) file = part;
    else fields[name] = part.value;
  }
  return file === null || file.filename === '' ? { kind: 'no-file' } : { kind: 'ok', file, fields };
}
