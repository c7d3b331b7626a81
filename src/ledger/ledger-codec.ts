import { hash } from 'node:crypto';
import type { DiskMark } from '../domain/disk-mark.ts';
import { bytesOf, type PathName } from '../domain/path-bytes.ts';
import type { ReceiptStatus } from '../domain/receipt.ts';
import type { LinePlace } from './journal/journal-reader.ts';

/** What the ledger knows of a file version: its newest receipt. */
export interface Recorded extends LinePlace {
  readonly gen: number;
  readonly status: ReceiptStatus;
  /** The error's code; null when uploaded. */
  readonly code: string | null;
  /** Which file on disk was uploaded; left out: nobody knows. */
  readonly disk?: DiskMark | undefined;
}

/** A file version as the ledger knows it now. */
export interface KnownVersion extends Recorded {
  /** Found on disk it goes once more, as the next generation: asked for, or an after-action took the file away. */
  readonly again: boolean;
}

/** Names one generation of one file version. */
export interface VersionMark {
  /** Of the file version, see `versionKey`. */
  readonly key: Buffer;
  readonly gen: number;
}

/** Which file on disk an upload, recorded with this generation, is of. */
export interface DiskVersion extends VersionMark {
  readonly disk: DiskMark;
}

/** Which file version spoke last for a path. */
export interface PathEntry {
  /** Key of the file version. */
  readonly version: Buffer;
  readonly queuedAtMs: number;
}

const STATUSES: readonly ReceiptStatus[] = ['uploaded', 'failed', 'skipped'];
const CANONICAL_ID = /^f[0-9a-f]{32}$/;

/** Beside the status in the first byte. */
const AGAIN_BIT = 0x80;

/** Status 1, generation 4, offset 6, length 4; the code follows, and the mark of a file on disk. */
const FIXED_BYTES = 15;
/** Inode 8, time of change 8. */
const DISK_BYTES = 16;
/** Whether such a file may be read by now is seen from its time of change. */
const UNREADABLE = 'file_unreadable';

const FOLDER_KEY_BYTES = 6;
const PATH_KEY_BYTES = 16;
const SLASH = 0x2f;

/** 16 bytes for a file version id; anything else is hashed to a length of its own, so that no id is refused. */
export function versionKey(id: string): Buffer {
  if (CANONICAL_ID.test(id)) return Buffer.from(id.slice(1), 'hex');
  return hash('sha256', id, 'buffer').subarray(0, 17);
}

/**
 * 16 bytes for a path: 6 of its folder's hash, 10 of its own. Files of one folder lie side by side in the tree, so a
 * bulk load, which comes folder by folder, rewrites a third fewer pages than with plain hashes (measured).
 */
export function pathKey(name: PathName): Buffer {
  const bytes = bytesOf(name);
  const folder = bytes.subarray(0, bytes.lastIndexOf(SLASH) + 1);
  const key = Buffer.alloc(PATH_KEY_BYTES);
  hash('sha256', folder, 'buffer').copy(key, 0, 0, FOLDER_KEY_BYTES);
  hash('sha256', bytes, 'buffer').copy(key, FOLDER_KEY_BYTES);
  return key;
}

export function encodeRecorded(recorded: Recorded): Buffer {
  const code = recorded.code ?? '';
  const disk = recorded.status === 'uploaded' || code === UNREADABLE ? recorded.disk : undefined;
  const codeBytes = Buffer.byteLength(code, 'utf8');
  const bytes = Buffer.alloc(FIXED_BYTES + codeBytes + (disk === undefined ? 0 : DISK_BYTES));
  bytes.writeUInt8(STATUSES.indexOf(recorded.status), 0);
  bytes.writeUInt32BE(recorded.gen, 1);
  bytes.writeUIntBE(recorded.offset, 5, 6);
  bytes.writeUInt32BE(recorded.length, 11);
  bytes.write(code, FIXED_BYTES, 'utf8');
  if (disk !== undefined) writeDisk(bytes, disk, FIXED_BYTES + codeBytes);
  return bytes;
}

function writeDisk(bytes: Buffer, { ino, ctimeMs }: DiskMark, at: number): void {
  bytes.writeBigUInt64BE(BigInt.asUintN(64, ino), at);
  bytes.writeDoubleBE(ctimeMs, at + 8);
}

/** Which file on disk an upload is of, or one that could not be read; null: nobody knows, or it is neither. */
export function diskOf(bytes: Buffer): DiskMark | null {
  const at = bytes.length - DISK_BYTES;
  const isMarked =
    statusOf(bytes) === 'uploaded'
      ? at === FIXED_BYTES
      : at === FIXED_BYTES + UNREADABLE.length && bytes.toString('latin1', FIXED_BYTES, at) === UNREADABLE;
  return isMarked ? { ino: bytes.readBigUInt64BE(at), ctimeMs: bytes.readDoubleBE(at + 8) } : null;
}

/** The same record of an upload, of this file on disk. */
export function markedOnDisk(bytes: Buffer, disk: DiskMark): Buffer {
  const marked = Buffer.alloc(FIXED_BYTES + DISK_BYTES);
  bytes.copy(marked, 0, 0, FIXED_BYTES);
  writeDisk(marked, disk, FIXED_BYTES);
  return marked;
}

/** The same record, to go once more. */
export function markedAgain(bytes: Buffer): Buffer {
  const marked = Buffer.from(bytes);
  marked.writeUInt8(bytes.readUInt8(0) | AGAIN_BIT, 0);
  return marked;
}

/** Without the rest. */
export function isAgain(bytes: Buffer): boolean {
  return (bytes.readUInt8(0) & AGAIN_BIT) !== 0;
}

/** Without the rest. */
export function genOf(bytes: Buffer): number {
  return bytes.readUInt32BE(1);
}

export function decodeRecorded(bytes: Buffer): KnownVersion {
  const disk = diskOf(bytes);
  const end = disk === null ? bytes.length : bytes.length - DISK_BYTES;
  return {
    again: isAgain(bytes),
    gen: bytes.readUInt32BE(1),
    status: statusOf(bytes),
    code: end === FIXED_BYTES ? null : bytes.toString('utf8', FIXED_BYTES, end),
    ...(disk === null ? {} : { disk }),
    offset: offsetOf(bytes),
    length: bytes.readUInt32BE(11),
  };
}

/** Without the rest: a pass over every path needs no more. */
export function statusOf(bytes: Buffer): ReceiptStatus {
  return STATUSES[bytes.readUInt8(0) & ~AGAIN_BIT] ?? 'failed';
}

/** Without the rest. */
export function offsetOf(bytes: Buffer): number {
  return bytes.readUIntBE(5, 6);
}

export function encodePathEntry(entry: PathEntry): Buffer {
  const bytes = Buffer.alloc(8 + entry.version.length);
  bytes.writeDoubleBE(entry.queuedAtMs, 0);
  entry.version.copy(bytes, 8);
  return bytes;
}

export function decodePathEntry(bytes: Buffer): PathEntry {
  return { queuedAtMs: bytes.readDoubleBE(0), version: bytes.subarray(8) };
}
