import { jobIdOf } from '../../domain/upload-job.ts';
import { versionKey } from '../ledger-codec.ts';
import type { Ledger } from '../ledger-port.ts';

/** A file on disk in one state, whatever its name. */
export interface InodeState {
  readonly dev: bigint;
  readonly ino: bigint;
  /** 0: the file system does not keep it, and nothing is known of the file then. */
  readonly birthtimeNs: bigint;
  /** Bytes. */
  readonly size: number;
  /** Nanoseconds, decimal. */
  readonly mtimeNs: string;
  /** Milliseconds since the epoch; left out: not asked for. */
  readonly ctimeMs?: number;
}

/** Which file on disk every recorded upload was read from: how a renamed file is known again. */
export interface InodeIndex {
  /** What a receipt to come is about; kept in memory until it is committed, whatever it says. */
  remember(jobId: string, state: InodeState): void;
  /** What was remembered of a receipt that is still to come; null: nothing. */
  remembered(jobId: string): InodeState | null;
  /** The version that was uploaded from this file in this state; null: none. */
  find(state: InodeState): string | null;
}

const KEY_BYTES = 16;
/** Size 8, time of change 8, of birth 8, version 16. */
const VALUE_BYTES = 40;
const VERSION_AT = 24;

/**
 * Entries are written with the commit of the receipt. They are hints: inodes are used again, and receipts followed by
 * others, so whoever finds one reads the receipt.
 */
export function openInodeIndex(ledger: Ledger): InodeIndex {
  const table = ledger.table<Buffer, Uint8Array>('inodes');
  const remembered = new Map<string, InodeState>();

  ledger.alongside(({ id, gen, status }) => {
    // Before a commit there is little to look for; a replay of the journal knows no files.
    if (remembered.size === 0) return;
    const jobId = jobIdOf(id, gen);
    const state = remembered.get(jobId);
    if (state === undefined) return;
    remembered.delete(jobId);
    const version = versionKey(id);
    if (status !== 'uploaded' || state.birthtimeNs === 0n || version.length !== VALUE_BYTES - VERSION_AT)
      return;
    table?.putSync(keyOf(state), entryOf(state, version));
  });

  return {
    remember(jobId, state) {
      // The first look: it was before the upload, and what has its name by now may be another file.
      if (!remembered.has(jobId)) remembered.set(jobId, state);
    },
    remembered: (jobId) => remembered.get(jobId) ?? null,
    find(state) {
      if (state.birthtimeNs === 0n) return null;
      const value = table?.get(keyOf(state));
      if (value === undefined || value.length !== VALUE_BYTES) return null;
      const version = value.subarray(VERSION_AT);
      return entryOf(state, version).equals(value) ? `f${version.toString('hex')}` : null;
    },
  };
}

function keyOf({ dev, ino }: InodeState): Buffer {
  const key = Buffer.alloc(KEY_BYTES);
  key.writeBigUInt64BE(BigInt.asUintN(64, dev), 0);
  key.writeBigUInt64BE(BigInt.asUintN(64, ino), 8);
  return key;
}

function entryOf({ size, mtimeNs, birthtimeNs }: InodeState, version: Buffer): Buffer {
  const value = Buffer.alloc(VALUE_BYTES);
  value.writeBigUInt64BE(BigInt(size), 0);
  value.writeBigUInt64BE(BigInt.asUintN(64, BigInt(mtimeNs)), 8);
  value.writeBigUInt64BE(BigInt.asUintN(64, birthtimeNs), 16);
  version.copy(value, VERSION_AT);
  return value;
}
