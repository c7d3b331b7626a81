import type { Database } from 'lmdb';
import type { BatchMissed } from '../../domain/batch.ts';
import type { LeftOut } from '../../domain/left-out.ts';
import { versionKey } from '../ledger-codec.ts';
import type { Ledger } from '../ledger-port.ts';

/** A batch that has not been put away: open, or ended with members still to be removed. */
export interface BatchRow {
  /** Stands for its id in the keys of its members. Used again once the batch has been put away. */
  readonly number: number;
  readonly destination: string;
  /** Absolute path of its manifest. */
  readonly manifest: string;
  /** ISO time. */
  readonly startedAt: string;
  /** Top folder that is the batch. */
  readonly folder?: string;
  /** Whether its inputs have been looked through: only other versions of what was found may still join. */
  readonly walked: boolean;
  /** Whether every file of it has been found. */
  readonly discovered: boolean;
  /** As its end will say it. */
  readonly missed?: BatchMissed | undefined;
  /** What its manifest will name as left out. */
  readonly leftOut?: readonly LeftOut[] | undefined;
  readonly members: number;
  /** Members without a receipt of their generation, or a later one. */
  readonly waiting: number;
  readonly ended: boolean;
}

/** One file of a batch. */
export interface BatchMember {
  /** Of the file version. */
  readonly id: string;
  readonly gen: number;
}

export interface BatchTables {
  readonly rows: Database<BatchRow, string>;
  /** Number of the batch (4 bytes) and key of the version (16) → generation (4): what a batch consists of. */
  readonly members: Database<Buffer, Uint8Array>;
  /** The same turned round, of members without a receipt: what a receipt ends. */
  readonly waiting: Database<Buffer, Uint8Array>;
}

const NUMBER_BYTES = 4;
const MOST = 0xffff_ffff;

/** @returns null: a reader, of a ledger without batches */
export function openBatchTables(ledger: Ledger): BatchTables | null {
  const rows = ledger.table<BatchRow, string>('batches');
  const members = ledger.table<Buffer, Uint8Array>('batch-members');
  const waiting = ledger.table<Buffer, Uint8Array>('batch-waiting');
  return rows === null || members === null || waiting === null ? null : { rows, members, waiting };
}

export function memberKey(number: number, version: Buffer): Buffer {
  return Buffer.concat([numberBytes(number), version]);
}

export function waitingKey(version: Buffer, number: number): Buffer {
  return Buffer.concat([version, numberBytes(number)]);
}

/** Every member of a batch lies between these keys. */
export function membersOf(number: number): { readonly start: Buffer; readonly end: Buffer } {
  return { start: numberBytes(number), end: numberBytes(number + 1) };
}

/** Batches that wait for one version lie between these keys. */
export function waitingFor(id: string): { readonly start: Buffer; readonly end: Buffer } {
  const version = versionKey(id);
  return { start: version, end: Buffer.concat([version, numberBytes(MOST), Buffer.from([0])]) };
}

/** Number of the batch in a key of `waiting`. */
export function numberIn(key: Uint8Array): number {
  return Buffer.from(key).readUInt32BE(key.length - NUMBER_BYTES);
}

/** Id of the version in a key of `members`: keys hold its bytes (`versionKey`). */
export function idInMember(key: Uint8Array): string {
  return `f${Buffer.from(key).subarray(NUMBER_BYTES).toString('hex')}`;
}

/** Id of the version in a key of `waiting`. */
export function idInWaiting(key: Uint8Array): string {
  return `f${Buffer.from(key)
    .subarray(0, key.length - NUMBER_BYTES)
    .toString('hex')}`;
}

export function genBytes(gen: number): Buffer {
  return numberBytes(gen);
}

export function genIn(bytes: Buffer): number {
  return bytes.readUInt32BE(0);
}

function numberBytes(number: number): Buffer {
  const bytes = Buffer.alloc(NUMBER_BYTES);
  bytes.writeUInt32BE(number, 0);
  return bytes;
}
