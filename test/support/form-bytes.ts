/** One part of a multipart form as a test writes it. */
export type FormPartInput =
  | { readonly name: string; readonly value: string }
  | {
      readonly name: string;
      readonly filename: string;
      readonly content: Buffer | string;
      readonly contentType?: string;
    };

/** A FormData of these parts, in this order. */
export function formOf(parts: readonly FormPartInput[]): FormData {
  const form = new FormData();
  for (const part of parts) {
    if ('value' in part) form.append(part.name, part.value);
    else
      form.append(
        part.name,
        new File([new Uint8Array(Buffer.from(part.content))], part.filename, {
          type: part.contentType ?? '',
        }),
      );
  }
  return form;
}
