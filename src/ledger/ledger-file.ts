import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pageDamage } from './ledger-damage.ts';

/** MDB_MAGIC and MDB_DATA_VERSION of the LMDB that lmdb 3 carries, after the first page's header. */
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const PAGE_HEADER_BYTES = 24;
/** Some 30 ms of looking at pages. */
const SMALL_BYTES = 16 * 1024 * 1024;

/**
 * Looks at an LMDB file before lmdb does: lmdb 3.5 ends the process with a segmentation fault where it should refuse
 * to open, and with a bus error where the file was cut off. Throws an Error with the reason; a missing or empty file is a
 * new ledger.
 * @param folder of the environment
 * @param use `alone`: nobody writes to it meanwhile, so that all pages of a file that is not large can be looked at
 */
export function checkLedgerFile(folder: string, use: 'alone' | 'beside its owner'): void {
  const path = join(folder, 'data.mdb');
  accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  const header = Buffer.alloc(PAGE_HEADER_BYTES + 8);
  const bytes = readHeader(path, header);
  if (bytes === 0) return;
  accessSync(path, constants.R_OK | constants.W_OK);
  const known =
    bytes === header.length &&
    header.readUInt32LE(PAGE_HEADER_BYTES) === MAGIC &&
    header.readUInt16LE(PAGE_HEADER_BYTES + 4) === DATA_VERSION;
  if (!known) throw new Error('data.mdb is damaged or of another version');
  const isSmall = use === 'alone' && statSync(path).size <= SMALL_BYTES;
  const damage = pageDamage(path, isSmall ? 'whole' : 'short');
  if (damage !== null) throw new Error(`data.mdb is damaged: ${damage}`);
}

function readHeader(path: string, header: Buffer): number {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
  try {
    return readSync(file, header, 0, header.length, 0);
  } finally {
    closeSync(file);
  }
}
