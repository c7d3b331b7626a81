import { accessSync, closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** MDB_MAGIC and MDB_DATA_VERSION of the LMDB that lmdb 3 carries, after the first page's header. */
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const PAGE_HEADER_BYTES = 24;

/**
 * Looks at an LMDB file before lmdb does: lmdb 3.5 ends the process with a segmentation fault where it should refuse
 * to open. Throws an Error with the reason; a missing or empty file is a new ledger.
 * @param folder of the environment
 */
export function checkLedgerFile(folder: string): void {
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
