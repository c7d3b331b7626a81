import { utimesSync, writeFileSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { FileEntry } from './archive-entry.ts';
import type { SpoolBudget } from './spool-budget.ts';

/**
 * Files of archives between being unpacked and being recorded, named by their jobs: what a worker sends. Bounded, and
 * empty once everything is recorded.
 */
export interface Spool {
  readonly maxBytes: number;
  /** Whether a file of this job lies there, so many bytes of it. */
  has(jobId: string, bytes: number): boolean;
  /** Whether one of so many bytes can be put without a wait. */
  fits(bytes: number): boolean;
  /**
   * Unpacks one, as soon as there is room for it.
   * @param seen told of its bytes on the way
   * @returns false: it lay there already, and no bytes were seen
   * @throws SlipwayError `archive_entry_broken` when it is not what the archive says, `disk_full`, `data_dir`
   */
  put(jobId: string, entry: FileEntry, signal: AbortSignal, seen?: (chunk: Buffer) => void): Promise<boolean>;
  /** Their receipts are durable. */
  release(jobIds: readonly string[]): Promise<void>;
}

/** A kill may leave one of them: it is removed at the next start. */
const UNFINISHED = '.tmp';
const WRITE_BYTES = 256 * 1024;

/**
 * Opens (0700) the spool of one source, and removes what no job needs.
 * @param isPending whether a job is in Redis: its file stays
 */
export async function openSpool(
  folder: string,
  budget: SpoolBudget,
  isPending: (jobId: string) => boolean,
): Promise<Spool> {
  const held = new Map<string, number>();
  let made = false;
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const stats = await stat(path).catch(() => null);
    if (stats === null) continue;
    if (!stats.isFile() || !isPending(name)) await rm(path, { recursive: true, force: true });
    else {
      held.set(name, stats.size);
      budget.count(stats.size);
    }
  }

  async function unpack(
    path: string,
    entry: FileEntry,
    signal: AbortSignal,
    seen: (chunk: Buffer) => void,
  ): Promise<void> {
    if (!made) await mkdir(folder, { recursive: true, mode: 0o700 });
    made = true;
    const seconds = Number(BigInt(entry.mtimeNs) / 1_000_000_000n);
    const chunks = gathered(checked(entry, signal, seen));
    if (entry.size <= WRITE_BYTES) {
      // In one piece, without a trip to the thread pool for each step: most of an archive's files are small.
      const parts: Buffer[] = [];
      for await (const chunk of chunks) parts.push(chunk);
      writeFileSync(path, parts.length === 1 ? (parts[0] ?? '') : Buffer.concat(parts), { mode: 0o600 });
      // What the worker compares with the version that was queued (G2).
      return utimesSync(path, seconds, seconds);
    }
    const file = await open(path, 'w', 0o600);
    try {
      for await (const chunk of chunks) await file.writeFile(chunk);
      await file.utimes(seconds, seconds);
    } finally {
      await file.close();
    }
  }

  async function release(jobIds: readonly string[]): Promise<void> {
    for (const jobId of jobIds) {
      const bytes = held.get(jobId);
      if (bytes === undefined) continue;
      held.delete(jobId);
      await rm(join(folder, jobId), { force: true }).catch(() => undefined);
      budget.give(bytes);
    }
  }

  return {
    maxBytes: budget.maxBytes,
    has: (jobId, bytes) => held.get(jobId) === bytes,
    fits: budget.fits,

    async put(jobId, entry, signal, seen = () => {}) {
      if (held.get(jobId) === entry.size) return false;
      await release([jobId]);
      await budget.take(entry.size, signal);
      const unfinished = join(folder, jobId + UNFINISHED);
      try {
        await unpack(unfinished, entry, signal, seen);
        await rename(unfinished, join(folder, jobId));
        held.set(jobId, entry.size);
        return true;
      } catch (error) {
        await rm(unfinished, { force: true }).catch(() => undefined);
        budget.give(entry.size);
        throw error instanceof SlipwayError || signal.aborted ? error : diskTrouble(folder, error);
      }
    },

    release,
  };
}

/** The folder of a source's spool. */
export function spoolFolder(dataDir: string, source: string): string {
  return join(dataDir, 'spool', source);
}

/** The bytes of an entry; throws where they are not what the archive says they are: no fault of the disk. */
async function* checked(
  entry: FileEntry,
  signal: AbortSignal,
  seen: (chunk: Buffer) => void,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  let sum = 0;
  for await (const chunk of bytesOf(entry)) {
    signal.throwIfAborted();
    bytes += chunk.length;
    if (bytes > entry.size) throw broken(`it has more than the ${entry.size} bytes that it should`);
    if (entry.crc32 !== null) sum = crc32(chunk, sum);
    seen(chunk);
    yield chunk;
  }
  if (bytes < entry.size) throw broken(`it has ${bytes} bytes, not ${entry.size}`);
  if (entry.crc32 !== null && sum !== entry.crc32) throw broken('its checksum is wrong');
}

async function* bytesOf(entry: FileEntry): AsyncGenerator<Buffer> {
  try {
    yield* await entry.open();
  } catch (error) {
    throw broken(reasonOf(error));
  }
}

/** Small chunks together: each write is a trip to the thread pool. */
async function* gathered(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    bytes += chunk.length;
    if (bytes < WRITE_BYTES) continue;
    yield Buffer.concat(parts);
    parts = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(parts);
}

/** Of the disk that the spool lies on: nothing the archive could help. */
function diskTrouble(path: string, error: unknown): SlipwayError {
  const reason = reasonOf(error);
  const full = reason === 'ENOSPC' || reason === 'EDQUOT';
  return new SlipwayError(full ? 'disk_full' : 'data_dir', { path, reason }, { cause: error });
}

function broken(reason: string): SlipwayError {
  return new SlipwayError('archive_entry_broken', { reason });
}
