import { TextDecoder } from 'node:util';
import { SlipwayError } from '../../domain/errors.ts';

const UTF8_BOM = Buffer.from([0xef, 0xbb, 0xbf]);
/** How Windows writes what it calls Unicode. */
const UTF16: readonly (readonly [bom: Buffer, encoding: string])[] = [
  [Buffer.from([0xff, 0xfe]), 'utf-16le'],
  [Buffer.from([0xfe, 0xff]), 'utf-16be'],
];
const BOM_BYTES = 3;

/**
 * A list of names as it is kept: bytes as they are, without a byte order mark; UTF-16, which says so by its mark, as UTF-8.
 * @param nul whether names are separated by NUL
 * @throws SlipwayError `usage` for names separated by NUL where newlines are expected
 */
export async function* listText(source: AsyncIterable<Buffer>, nul: boolean): AsyncGenerator<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  let decoder: TextDecoder | null = null;
  let begun = false;
  const taken = (chunk: Buffer): Buffer => {
    if (decoder !== null) return Buffer.from(decoder.decode(chunk, { stream: true }));
    if (!nul && chunk.includes(0)) throw separatedByNul();
    return chunk;
  };
  for await (const chunk of source) {
    if (begun) {
      yield taken(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < BOM_BYTES) continue;
    begun = true;
    decoder = decoderOf(head);
    yield taken(withoutMark(head));
  }
  if (!begun) {
    decoder = decoderOf(head);
    yield taken(withoutMark(head));
  }
  const rest = decoder?.decode() ?? '';
  if (rest !== '') yield Buffer.from(rest);
}

function decoderOf(head: Buffer): TextDecoder | null {
  const found = UTF16.find(([bom]) => head.subarray(0, bom.length).equals(bom));
  return found === undefined ? null : new TextDecoder(found[1]);
}

/** A decoder takes away its own mark. */
function withoutMark(head: Buffer): Buffer {
  return head.subarray(0, UTF8_BOM.length).equals(UTF8_BOM) ? head.subarray(UTF8_BOM.length) : head;
}

function separatedByNul(): SlipwayError {
  return new SlipwayError('usage', {
    problem:
      'the names in --files-from are separated by NUL characters (find -print0, for example): give -0 as well',
  });
}
