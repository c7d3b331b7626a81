/** Tar archives as bytes, written without the library that reads them: POSIX ustar and pax. */

export interface TarFileBytes {
  /** Bytes go as they are. */
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  /** `0` a file, `1` a hard link, `2` a symlink, `3` a device, `5` a folder. */
  readonly type?: string;
  readonly link?: string;
  /** A pax header with the name in front. */
  readonly pax?: boolean;
  /** What the header says instead of the truth. */
  readonly says?: { readonly size?: number };
}

const BLOCK = 512;
/** Seconds. */
const TAR_SECONDS = Date.parse('2026-11-22T01:02:03.000Z') / 1000;
export const TAR_TIME = '2026-11-22T01:02:03.000Z';

export function tarBytes(files: readonly TarFileBytes[], options: { readonly ended?: boolean } = {}): Buffer {
  const blocks: Buffer[] = [];
  for (const { name, content = '', type = '0', link = '', pax = false, says } of files) {
    const bytes = Buffer.from(content);
    if (pax) {
      const record = paxRecord('path', String(name));
      blocks.push(header(Buffer.from('pax'), record.length, 'x', ''), padded(record));
    }
    const short = pax ? Buffer.from('short') : Buffer.from(name as Buffer);
    blocks.push(header(short, says?.size ?? bytes.length, type, link), padded(bytes));
  }
  if (options.ended !== false) blocks.push(Buffer.alloc(2 * BLOCK));
  return Buffer.concat(blocks);
}

function header(name: Buffer, size: number, type: string, link: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  if (name.length > 100) throw new Error('longer names need pax: true');
  name.copy(block, 0);
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write(`${TAR_SECONDS.toString(8).padStart(11, '0')}\0`, 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write(link, 157);
  block.write('ustar\0' + '00', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function padded(bytes: Buffer): Buffer {
  const rest = bytes.length % BLOCK;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(BLOCK - rest)]);
}

/** `LENGTH key=value\n`, its own digits counted. */
function paxRecord(key: string, value: string): Buffer {
  const body = Buffer.byteLength(` ${key}=${value}\n`);
  let length = body;
  while (String(length).length + body !== length) length = String(length).length + body;
  return Buffer.from(`${length} ${key}=${value}\n`);
}
