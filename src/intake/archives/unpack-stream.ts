import { createReadStream } from 'node:fs';
import {
  crc32,
  createInflateRaw,
  createZstdDecompress,
  type InflateRaw,
  type ZstdDecompress,
} from 'node:zlib';
import { bombIn } from './bomb-limits.ts';
import { type ByteReader, createByteReader } from './byte-reader.ts';

/** At a time: what it unpacks to is in memory, at worst a thousand times as much. */
const PIECE_BYTES = 16 * 1024;
const OUTPUT_BYTES = 128 * 1024;
const READ_BYTES = 256 * 1024;

/** How bytes are packed. */
export type Packing = 'gzip' | 'zstd';

/**
 * The unpacked bytes of a file, all that can be had before what is damaged, which is then thrown. Several members or
 * frames one behind another are one stream, as their tools have it.
 */
export async function* unpackedStream(path: string, packing: Packing): AsyncGenerator<Buffer> {
  let given = 0;
  try {
    for await (const chunk of unpackedPieces(path, packing, null)) {
      given += chunk.length;
      yield chunk;
    }
  } catch (error) {
    if (!(error instanceof DamagedPiece)) throw error;
    // An unpacker gives nothing of the piece that it fails in: byte by byte it gives what lies before the damage.
    let skip = given;
    for await (const chunk of unpackedPieces(path, packing, error.at)) {
      const rest = chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - rest.length;
      if (rest.length > 0) yield rest;
    }
  }
}

/** Where in the file the piece begins in which unpacking has failed. */
class DamagedPiece extends Error {
  readonly at: number;

  constructor(at: number, cause: Error) {
    super(cause.message, { cause });
    this.at = at;
  }
}

/** @param carefulFrom byte of the file from which on it is fed byte by byte, and fails for good; null: nowhere */
async function* unpackedPieces(
  path: string,
  packing: Packing,
  carefulFrom: number | null,
): AsyncGenerator<Buffer> {
  const reader = createByteReader(createReadStream(path, { highWaterMark: READ_BYTES }));
  let unpackedBytes = 0;
  try {
    if (!beginsFrame(await reader.peek(4), packing))
      throw reader.failure() ?? new Error(`it is no ${packing}`);
    // What follows the last one is padding, a line feed, nothing: the tools pass over it as well.
    while (beginsFrame(await reader.peek(4), packing)) {
      if (packing === 'gzip') await takeGzipHeader(reader);
      let sum = 0;
      for await (const chunk of frame(reader, packing, carefulFrom)) {
        unpackedBytes += chunk.length;
        const bomb = bombIn(reader.position, unpackedBytes);
        if (bomb !== null) throw new Error(`${bomb}: a compression bomb`);
        if (packing === 'gzip') sum = crc32(chunk, sum);
        yield chunk;
      }
      if (packing === 'gzip' && (await reader.take(8)).readUInt32LE(0) !== sum)
        throw new Error('what is packed has another checksum than it should');
    }
    if (reader.failure() !== null) throw reader.failure();
  } finally {
    await reader.close();
  }
}

/** One frame or, of gzip, what lies between its header and its checksum. */
async function* frame(
  reader: ByteReader,
  packing: Packing,
  carefulFrom: number | null,
): AsyncGenerator<Buffer> {
  const unpacker = createUnpacker(
    packing === 'gzip'
      ? createInflateRaw({ chunkSize: OUTPUT_BYTES })
      : createZstdDecompress({ chunkSize: OUTPUT_BYTES }),
  );
  while (unpacker.state() === 'open') {
    const at = reader.position;
    const piece = await reader.peek(carefulFrom !== null && at >= carefulFrom ? 1 : PIECE_BYTES);
    if (piece.length === 0 && reader.failure() !== null) throw reader.failure();
    if (piece.length === 0 && packing === 'gzip') throw new Error(`it is cut off at byte ${at}`);
    const { chunks, used, error } = await (piece.length === 0 ? unpacker.finish() : unpacker.feed(piece));
    await reader.take(used);
    yield* chunks;
    if (error !== null) throw carefulFrom === null && piece.length > 0 ? new DamagedPiece(at, error) : error;
  }
}

function beginsFrame(head: Buffer, packing: Packing): boolean {
  if (packing === 'gzip') return head.length >= 2 && head.readUInt16BE(0) === 0x1f8b;
  // A frame, or one that says only how long it is, for the user's own use.
  return (
    head.length >= 4 && (head.readUInt32LE(0) === 0xfd2fb528 || head.readUInt32LE(0) >>> 4 === 0x184d2a5)
  );
}

/** RFC 1952 2.3. */
async function takeGzipHeader(reader: ByteReader): Promise<void> {
  const flags = (await reader.take(10))[3] ?? 0;
  if ((flags & 4) !== 0) await reader.take((await reader.take(2)).readUInt16LE(0));
  // A name and a comment, each up to its NUL.
  for (const text of [8, 16]) if ((flags & text) !== 0) while ((await reader.take(1))[0] !== 0);
  if ((flags & 2) !== 0) await reader.take(2);
}

interface Fed {
  readonly chunks: readonly Buffer[];
  /** Bytes of what was fed: fewer where the stream ended before. */
  readonly used: number;
  readonly error: Error | null;
}

/** One decompressor of Node's, a piece at a time. */
function createUnpacker(stream: InflateRaw | ZstdDecompress): {
  state(): 'open' | 'ended';
  feed(piece: Buffer): Promise<Fed>;
  finish(): Promise<Fed>;
} {
  let chunks: Buffer[] = [];
  let error: Error | null = null;
  let ended = false;
  let fedBytes = 0;
  let usedBytes = 0;
  let settle = (): void => {};
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.once('end', () => {
    ended = true;
    settle();
  });
  stream.once('error', (problem: Error) => {
    error = problem;
    settle();
  });

  async function done(begin: () => void): Promise<Fed> {
    await new Promise<void>((resolve) => {
      settle = resolve;
      begin();
    });
    // What it gave may be on its way still, and so may its end.
    await new Promise((resolve) => setImmediate(resolve));
    const taken = chunks;
    chunks = [];
    const used = ended ? stream.bytesWritten - usedBytes : fedBytes - usedBytes;
    usedBytes += used;
    return { chunks: taken, used, error };
  }

  return {
    state: () => (ended ? 'ended' : 'open'),
    feed(piece) {
      fedBytes += piece.length;
      return done(() => stream.write(piece, () => settle()));
    },
    finish: () => done(() => stream.end()),
  };
}
