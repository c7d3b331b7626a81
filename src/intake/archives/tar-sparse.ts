import type { ByteReader } from './byte-reader.ts';
import { BLOCK_BYTES, tarNumber } from './tar-header.ts';
import { type PaxRecords, paxNumber, paxValue } from './tar-pax.ts';

/** One run of bytes that are there; between them a file has zeros. */
export interface SparsePiece {
  readonly offset: number;
  readonly length: number;
}

/** A file whose holes were left out. */
export interface SparseFile {
  /** Bytes of the file as it was. */
  readonly size: number;
  /** null: they stand in front of its bytes (GNU 1.0). */
  readonly pieces: readonly SparsePiece[] | null;
}

const MAX_PIECES = 4_000_000;
const ZEROS = Buffer.alloc(128 * 1024);

/** What a pax header says of the holes of its file (GNU 0.0, 0.1 and 1.0; libarchive writes the last); null: nothing. */
export function paxSparse(records: PaxRecords): SparseFile | null {
  const size = paxNumber(records, 'GNU.sparse.realsize') ?? paxNumber(records, 'GNU.sparse.size');
  if (size === null) return null;
  if (paxNumber(records, 'GNU.sparse.major') === 1) return { size, pieces: null };
  const map = paxValue(records, 'GNU.sparse.map');
  const numbers =
    map === null
      ? records
          .filter(({ key }) => key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes')
          .map(({ value }) => Number(value.toString('latin1')))
      : map.toString('latin1').split(',').map(Number);
  return { size, pieces: piecesOf(numbers) };
}

const HEADER_PIECES_AT = 386;
const HEADER_PIECES = 4;
const MORE_PIECES = 21;
const PIECE_BYTES = 24;
const HEADER_GOES_ON_AT = 482;
const REAL_SIZE_AT = 483;
const MORE_GOES_ON_AT = 504;

/** What an old GNU header of type S says, and the blocks behind it that go on with its map. */
export async function gnuSparse(header: Buffer, reader: ByteReader): Promise<SparseFile> {
  const numbers = numbersIn(header, HEADER_PIECES_AT, HEADER_PIECES);
  for (let goesOn = header[HEADER_GOES_ON_AT] === 1; goesOn; ) {
    const block = await reader.take(BLOCK_BYTES);
    numbers.push(...numbersIn(block, 0, MORE_PIECES));
    goesOn = block[MORE_GOES_ON_AT] === 1;
    if (numbers.length > MAX_PIECES * 2) throw new Error('the map of a sparse file has no end');
  }
  return { size: tarNumber(header, REAL_SIZE_AT, 12), pieces: piecesOf(numbers) };
}

/** Up to the first that is empty: the rest of the block is not used. */
function numbersIn(block: Buffer, at: number, pieces: number): number[] {
  const numbers: number[] = [];
  for (let index = 0; index < pieces; index += 1) {
    const from = at + index * PIECE_BYTES;
    if (block[from] === 0) break;
    numbers.push(tarNumber(block, from, 12), tarNumber(block, from + 12, 12));
  }
  return numbers;
}

/** Pairs of offset and length, one behind another. @throws Error where they are not */
function piecesOf(numbers: readonly number[]): SparsePiece[] {
  const pieces: SparsePiece[] = [];
  let end = 0;
  for (let at = 0; at < numbers.length; at += 2) {
    const [offset = Number.NaN, length = Number.NaN] = [numbers[at], numbers[at + 1]];
    if (!(offset >= end && length >= 0 && Number.isSafeInteger(offset + length)))
      throw new Error('the map of a sparse file is damaged');
    pieces.push({ offset, length });
    end = offset + length;
  }
  return pieces;
}

/**
 * The bytes of a sparse file as it was, its holes filled with zeros.
 * @param packed the bytes that are there
 */
export async function* filledHoles(file: SparseFile, packed: ByteReader): AsyncGenerator<Buffer> {
  const pieces = file.pieces ?? (await mapInFront(packed));
  let position = 0;
  for (const { offset, length } of pieces) {
    yield* zeros(offset - position);
    yield* packed.chunks(length);
    position = offset + length;
  }
  yield* zeros(file.size - position);
}

function* zeros(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= ZEROS.length)
    yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
}

/** GNU 1.0: a count, then offsets and lengths, a line each, in whole blocks. */
async function mapInFront(packed: ByteReader): Promise<SparsePiece[]> {
  const numbers: number[] = [];
  let rest = '';
  while (numbers.length === 0 || numbers.length < 1 + 2 * (numbers[0] ?? 0)) {
    if ((numbers[0] ?? 0) > MAX_PIECES) throw new Error('the map of a sparse file is damaged');
    const lines = (rest + (await packed.take(BLOCK_BYTES)).toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines)
      if (numbers.length === 0 || numbers.length < 1 + 2 * (numbers[0] ?? 0)) numbers.push(Number(line));
  }
  return piecesOf(numbers.slice(1));
}
