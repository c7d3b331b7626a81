/** One part of a multipart body, byte for byte. */
export interface ReadPart {
  /** The part's header lines, as latin1 so that every byte shows. */
  readonly head: string;
  readonly content: Buffer;
}

/** Takes a multipart body apart by its boundary alone; throws when its framing is not exact. */
export function readMultipart(body: Buffer, contentType: string | undefined): ReadPart[] {
  const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(contentType ?? '')?.[1];
  if (boundary === undefined) throw new Error(`no boundary in ${contentType}`);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  const rest = Buffer.concat([Buffer.from('\r\n'), body]);
  const parts: ReadPart[] = [];
  let start = rest.indexOf(delimiter);
  if (start !== 0) throw new Error('the body does not begin with its boundary');
  for (;;) {
    const after = start + delimiter.length;
    if (rest.subarray(after).equals(Buffer.from('--\r\n'))) return parts;
    const end = rest.indexOf(delimiter, after);
    if (end < 0) throw new Error('the body does not end with its boundary');
    const part = rest.subarray(after + 2, end);
    const split = part.indexOf('\r\n\r\n');
    parts.push({ head: part.subarray(0, split).toString('latin1'), content: part.subarray(split + 4) });
    start = end;
  }
}
