import { utimesSync, writeFileSync } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { below, inFolder, type Path } from '../../platform/files/exact-folder.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
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
 * Opens (0700) the spool of one source, and removes what no job needs. Nothing is done over a link below the data folder:
 * what such a one leads to is not ours to empty.
 * @param folder `<dataDir>/spool/<source>`
 * @param isPending whether a job is in Redis: its file stays
 * @throws SlipwayError `data_dir` where a link stands in its place
 */
export async function openSpool(
  folder: string,
  budget: SpoolBudget,
  isPending: (jobId: string) => boolean,
): Promise<Spool> {
  const held = new Map<string, number>();
  let made = false;
  const exact = exactPath(folder);
  const here = <T>(work: (at: Path) => Promise<T>): Promise<T> => inFolder(exact, work);
  for (const [name, bytes] of await stillNeeded(exact, folder, isPending)) {
    held.set(name, bytes);
    budget.count(bytes);
  }

  async function unpack(
    path: Path,
    entry: FileEntry,
    signal: AbortSignal,
    seen: (chunk: Buffer) => void,
  ): Promise<void> {
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
      await here((at) => rm(below(at, jobId), { force: true })).catch(() => undefined);
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
      const unfinished = jobId + UNFINISHED;
      try {
        if (!made) await makeFolder(exact);
        made = true;
        await here(async (at) => {
          await unpack(below(at, unfinished), entry, signal, seen);
          await rename(below(at, unfinished), below(at, jobId));
        });
        held.set(jobId, entry.size);
        return true;
      } catch (error) {
        await here((at) => rm(below(at, unfinished), { force: true })).catch(() => undefined);
        budget.give(entry.size);
        throw error instanceof SlipwayError || signal.aborted ? error : diskTrouble(folder, error);
      }
    },

    release,
  };
}

/** The path of a spool as it really is down to the data folder; what is below that has to be there as it is named. */
function exactPath(folder: string): string {
  const spools = dirname(folder);
  return join(realRootOf(dirname(spools)), basename(spools), basename(folder));
}

/** What jobs still need of what lies there, by name and size; the rest is removed. */
async function stillNeeded(
  exact: string,
  folder: string,
  isPending: (jobId: string) => boolean,
): Promise<[name: string, bytes: number][]> {
  const needed: [string, number][] = [];
  for (const name of await namesIn(exact, folder)) {
    await inFolder(exact, async (at) => {
      const path = below(at, name);
      const stats = await lstat(path).catch(() => null);
      if (stats === null) return;
      if (stats.isFile() && isPending(name)) needed.push([name, stats.size]);
      else await rm(path, { recursive: true, force: true });
    });
  }
  return needed;
}

async function namesIn(exact: string, folder: string): Promise<string[]> {
  try {
    return await inFolder(exact, (at) => readdir(at));
  } catch (error) {
    if (reasonOf(error) === 'ENOTDIR') throw diskTrouble(folder, error);
    return [];
  }
}

async function makeFolder(exact: string): Promise<void> {
  for (const path of [dirname(exact), exact]) {
    await inFolder(dirname(path), (at) => mkdir(below(at, basename(path)), { mode: 0o700 })).catch(
      (error: unknown) => {
        if (reasonOf(error) !== 'EEXIST') throw error;
      },
    );
  }
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
