/** Records of a pax header in their order: keys may come again, and values are bytes of any encoding. */
export type PaxRecords = readonly { readonly key: string; readonly value: Buffer }[];

const SPACE = 0x20;
const EQUALS = 0x3d;
const NEWLINE = 0x0a;

/** `LENGTH KEY=VALUE\n`, the length counting all of it. @throws Error where that does not hold */
export function readPax(bytes: Buffer): PaxRecords {
  const records: { key: string; value: Buffer }[] = [];
  for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
    const blank = bytes.indexOf(SPACE, at);
    const length = Number(bytes.toString('latin1', at, Math.max(at, blank)));
    const end = at + length;
    const equals = bytes.indexOf(EQUALS, blank);
    if (
      blank === -1 ||
      !(length > 0) ||
      end > bytes.length ||
      equals === -1 ||
      equals >= end ||
      bytes[end - 1] !== NEWLINE
    )
      throw new Error('an extended header is damaged');
    records.push({
      key: bytes.toString('utf8', blank + 1, equals),
      value: bytes.subarray(equals + 1, end - 1),
    });
    at = end;
  }
  return records;
}

/** The last value of a key; null: none, or an empty one, which takes an earlier one away. */
export function paxValue(records: PaxRecords, key: string): Buffer | null {
  const found = records.findLast((record) => record.key === key);
  return found === undefined || found.value.length === 0 ? null : found.value;
}

/** A decimal number of seconds or bytes; null: none. */
export function paxNumber(records: PaxRecords, key: string): number | null {
  const value = paxValue(records, key)?.toString('latin1');
  return value !== undefined && /^-?\d+(\.\d*)?$/.test(value) ? Number(value) : null;
}
