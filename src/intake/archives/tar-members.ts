import { type PathName, pathNameOf } from '../../domain/path-bytes.ts';
import { type ByteReader, createByteReader } from './byte-reader.ts';
import { BLOCK_BYTES, isTarHeader, isZeros, readTarHeader, type TarHeader } from './tar-header.ts';
import { type PaxRecords, paxNumber, paxValue, readPax } from './tar-pax.ts';
import { filledHoles, gnuSparse, paxSparse, type SparseFile } from './tar-sparse.ts';

/** One member of a tar as it was packed, all headers applied. */
export interface TarMember {
  /** `1` hard link, `2` symlink, `3` `4` devices, `5` folder, `6` pipe, `M` the rest of a file of another volume; `0` file. */
  readonly type: string;
  readonly name: PathName;
  /** Where a link leads. */
  readonly linkName: PathName;
  /** Bytes of the file as it was, and those that the archive has of it. */
  readonly size: number;
  readonly packedBytes: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** Its bytes, once; what is not read is passed over. */
  readonly body: () => AsyncGenerator<Buffer>;
}

/** Longer than any name or attribute that means something. */
const MAX_HEADER_BYTES = 16 * 1024 * 1024;

/** Volume labels, old long names, access lists and attributes of Solaris, inodes: nobody's files. */
const NO_MEMBERS: ReadonlySet<string> = new Set(['V', 'N', 'A', 'E', 'I']);
/** A GNU folder of an incremental dump: its bytes are a list of names. */
const DUMPED_FOLDER = 'D';
const FILE_TYPES: ReadonlySet<string> = new Set(['0', '7', 'S']);
const KNOWN_TYPES: ReadonlySet<string> = new Set(['0', '1', '2', '3', '4', '5', '6', 'M']);

/**
 * The members of a tar in its order: old, ustar, GNU, pax, star. Whatever broke the stream or the archive is thrown
 * behind the last one that is whole, and so is a missing end.
 */
export async function* tarMembers(stream: AsyncIterable<Buffer>): AsyncGenerator<TarMember> {
  const reader = createByteReader(stream);
  const headers = createHeaders(reader);
  try {
    for (let header = await headers.next(); header !== null; header = await headers.next()) {
      const { member, packed, paddedBytes } = header;
      const end = reader.position + paddedBytes;
      if (member !== null) {
        const { sparse } = header;
        const own = bounded(reader, reader.position + packed);
        yield { ...member, body: () => (sparse === null ? own.chunks(packed) : filledHoles(sparse, own)) };
      }
      for await (const _ of reader.chunks(end - reader.position));
    }
  } finally {
    await reader.close();
  }
}

interface FoundMember {
  /** null: it is of no interest. */
  readonly member: Omit<TarMember, 'body'> | null;
  readonly sparse: SparseFile | null;
  readonly packed: number;
  readonly paddedBytes: number;
}

/** A reader of so much and no more: a map that lies must not read the next file. */
function bounded(reader: ByteReader, end: number): ByteReader {
  const checked = (bytes: number): number => {
    if (reader.position + bytes > end) throw new Error('the map of a sparse file is damaged');
    return bytes;
  };
  return {
    ...reader,
    get position() {
      return reader.position;
    },
    take: (bytes) => reader.take(checked(bytes)),
    chunks: (bytes) => reader.chunks(checked(bytes)),
  };
}

function createHeaders(reader: ByteReader): { next(): Promise<FoundMember | null> } {
  let globals: PaxRecords = [];
  /** Where zeros stood between members: an end mark, or what is left of others. */
  let goesOnBehind: number | null = null;

  /** The next block that is a header; null: that was the end. */
  async function nextBlock(): Promise<Buffer | null> {
    let zeroBlocks = 0;
    const from = reader.position;
    for (;;) {
      const block = await reader.peek(BLOCK_BYTES);
      if (block.length === BLOCK_BYTES && isZeros(block)) {
        await reader.take(BLOCK_BYTES);
        zeroBlocks += 1;
        continue;
      }
      const isHeader = isTarHeader(block);
      if (isHeader && zeroBlocks > 0) goesOnBehind ??= from;
      if (isHeader) return await reader.take(BLOCK_BYTES);
      const failure = reader.failure();
      if (failure !== null) throw failure;
      // Behind its end mark anything may follow; one block of zeros is none, but at the end it has to do.
      if (zeroBlocks >= 2 || (zeroBlocks === 1 && block.length === 0)) return null;
      if (block.length === BLOCK_BYTES) throw new Error(notHere(reader.position));
      throw new Error(
        zeroBlocks === 0 && block.length === 0
          ? `it ends at byte ${reader.position} without an end mark: it is cut off there`
          : `it is cut off at byte ${reader.position}`,
      );
    }
  }

  async function body(header: TarHeader): Promise<Buffer> {
    if (header.size > MAX_HEADER_BYTES) throw new Error(notHere(reader.position));
    const bytes = await reader.take(padded(header.size));
    return bytes.subarray(0, header.size);
  }

  return {
    async next() {
      let records: PaxRecords = [];
      let longName: Buffer | null = null;
      let longLink: Buffer | null = null;
      for (;;) {
        const at = reader.position;
        const block = await nextBlock();
        if (block === null) {
          if (goesOnBehind === null) return null;
          throw new Error(
            `zeros stand in it at byte ${goesOnBehind}, and files behind them: either files are lost there, or archives were joined`,
          );
        }
        const header = readTarHeader(block);
        if (header === null) throw new Error(notHere(at));
        if (header.type === 'x' || header.type === 'X') records = readPax(await body(header));
        else if (header.type === 'g') globals = [...globals, ...readPax(await body(header))];
        else if (header.type === 'L') longName = withoutNul(await body(header));
        else if (header.type === 'K') longLink = withoutNul(await body(header));
        else
          return await memberOf(
            header,
            block,
            { records: [...globals, ...records], longName, longLink },
            reader,
          );
      }
    },
  };
}

function notHere(position: number): string {
  return `there is no header of a file at byte ${position}, where one should be`;
}

async function memberOf(
  header: TarHeader,
  block: Buffer,
  more: { readonly records: PaxRecords; readonly longName: Buffer | null; readonly longLink: Buffer | null },
  reader: ByteReader,
): Promise<FoundMember> {
  const { records } = more;
  const sparse = header.type === 'S' ? await gnuSparse(block, reader) : paxSparse(records);
  const packed = packedBytes(header, records, sparse);
  const type = await typeOf(header, packed, reader);
  const hasBytes = type === '0' || !KNOWN_TYPES.has(type) || header.type === DUMPED_FOLDER || type === 'M';
  const own = hasBytes ? packed : 0;
  const sparseName = sparse === null ? null : paxValue(records, 'GNU.sparse.name');
  const name = sparseName ?? paxValue(records, 'path') ?? more.longName ?? header.name;
  const mtime = Math.floor(paxNumber(records, 'mtime') ?? header.mtime);
  const facts = {
    ...{ type, mtime, packedBytes: own, size: sparse?.size ?? own },
    name: pathNameOf(name),
    linkName: pathNameOf(paxValue(records, 'linkpath') ?? more.longLink ?? header.linkName),
  };
  return { member: NO_MEMBERS.has(type) ? null : facts, sparse, packed: own, paddedBytes: padded(own) };
}

/** Bytes that follow. Some writers say the size of a sparse file before its holes were taken out in `size`. */
function packedBytes(header: TarHeader, records: PaxRecords, sparse: SparseFile | null): number {
  const said = paxNumber(records, 'size');
  if (said === null) return header.size;
  if (!(said >= 0 && Number.isSafeInteger(said))) throw new Error('an extended header is damaged');
  return sparse !== null && said === sparse.size && header.size > 0 && header.size < said
    ? header.size
    : said;
}

/** A hard link says the size of its file and mostly has none of its bytes; where they follow it is a file. */
async function typeOf({ type, size }: TarHeader, packed: number, reader: ByteReader): Promise<string> {
  if (type === DUMPED_FOLDER) return '5';
  if (type === '1') {
    if (size === 0 && packed === 0) return '1';
    const next = await reader.peek(BLOCK_BYTES);
    return next.length < BLOCK_BYTES || isTarHeader(next) ? '1' : '0';
  }
  // What nobody knows is a file, as POSIX has it.
  return FILE_TYPES.has(type) || !(KNOWN_TYPES.has(type) || NO_MEMBERS.has(type)) ? '0' : type;
}

function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

function withoutNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end));
}
