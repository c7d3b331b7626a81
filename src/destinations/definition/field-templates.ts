type Fields = readonly (readonly [name: string, value: string])[];

/**
 * Fills `{filename}` and `{extension}` (lower-case, without the dot) in the values of text fields.
 * @param fileName base name
 */
export function fieldsFor(fields: Fields, fileName: string): Fields {
  if (!fields.some(([, value]) => value.includes('{filename}') || value.includes('{extension}')))
    return fields;
  const dot = fileName.lastIndexOf('.');
  const extension = dot > 0 ? fileName.slice(dot + 1).toLowerCase() : '';
  return fields.map(([name, value]) => [
    name,
    value.replace(/\{(filename|extension)\}/g, (_whole, key) => (key === 'filename' ? fileName : extension)),
  ]);
}
