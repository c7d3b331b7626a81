// Over 300 lines: one file on disk, and whatever keeps two ends of it apart; the halves would share every variable.
import { statSync, writeSync } from 'node:fs';
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { type JournalLine, type LinePlace, pickLines, readLines, readPlace } from './journal-reader.ts';
import { bytesWithoutSum, withSum } from './line-sum.ts';
import { decodeReceipt } from './receipt-codec.ts';
import { syncedFolder } from './synced-folder.ts';

/** The truth of one source: a receipt a line, only ever appended to (contract §9). One writer, one append at a time. */
export interface ManifestJournal {
  readonly path: string;
  /** Bytes that are durable, always a whole number of lines. */
  size(): number;
  /**
   * Appends lines, each with its sum, and makes them durable, all or none: after an error the file is as it was.
   * @param receipts lines without newlines and sums
   * @throws SlipwayError `disk_full`, `journal_unwritable`, `journal_changed`
   */
  append(receipts: readonly string[]): Promise<LinePlace[]>;
  /**
   * The first half of it: a kill of this process does not take them away, a power cut may. After an error the file is as
   * it was before. One write or append at a time.
   */
  write(receipts: readonly string[]): Promise<LinePlace[]>;
  /**
   * The same within this turn of the event loop: some microseconds into the page cache. Never beside a write.
   * @returns null: not now, for whatever reason; `write` says which
   */
  writeNow(receipts: readonly string[]): LinePlace[] | null;
  /**
   * The second half, of all that is written by now: lines that are written meanwhile are not among them. After an error
   * nobody knows what of it is durable: it is to be taken back, and written again.
   */
  sync(): Promise<void>;
  /** Nothing is in the file but what is durable. As a write, one at a time. */
  takeBack(): Promise<void>;
  /** Throws SlipwayError `journal_corrupt` where no receipt is. */
  read(place: LinePlace): Promise<Receipt>;
  /** The lines from a byte on, as far as they are durable now. Memory stays constant. */
  lines(from: number): AsyncGenerator<JournalLine[]>;
  /** The lines beginning at these bytes, ascending, without their sums. */
  pick(offsets: Iterable<number>): AsyncGenerator<Buffer>;
  /** Drops everything from a byte on: what a power cut left unwritten. */
  cut(offset: number): Promise<void>;
  close(): Promise<void>;
}

/** The part of a file handle that the journal writes through; a test puts a failing disk here. */
export type JournalFile = Pick<FileHandle, 'write' | 'datasync' | 'truncate' | 'read' | 'stat' | 'close'> & {
  readonly fd?: number;
};

export interface JournalOptions {
  readonly path: string;
  /** Bytes the ledger has recorded. */
  readonly mark: number;
  /** The ledger's folder, for what to do when the two disagree. */
  readonly ledger: string;
  readonly log: Log;
  readonly openFile?: (path: string) => Promise<JournalFile>;
}

const FORBIDDEN: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS']);
const NEWLINE = 0x0a;
const TAIL_BYTES = 64 * 1024;

/** `x.manifest.json` → `x.manifest.jsonl`; any other name gets `.jsonl` after it. */
export function journalPathOf(manifest: string): string {
  return manifest.endsWith('.json') ? `${manifest}l` : `${manifest}.jsonl`;
}

/**
 * Opens or creates (0600) the journal. Bytes after the last newline are an append that a crash cut short: never
 * acknowledged, their jobs still wait, so they are cut off.
 * @throws SlipwayError `journal_short`, `journal_changed`, `journal_unwritable`, `journal_forbidden`
 */
export async function openJournal(options: JournalOptions): Promise<ManifestJournal> {
  const { path, mark, ledger, log, openFile = openOrCreate } = options;
  // Looked at before it is created: a journal that is gone must not come back empty.
  const found = await stat(path).catch((error: unknown) => {
    if (FORBIDDEN.has(reasonOf(error))) throw openError(path, error);
    return null;
  });
  if ((found?.size ?? 0) < mark)
    throw new SlipwayError('journal_short', { path, size: found?.size ?? 0, mark, ledger });
  const file = await openFile(path).catch((error: unknown) => {
    throw openError(path, error);
  });
  try {
    if (found === null) await syncedFolder(dirname(path));
    const size = await cutTornLine(file, options);
    // What a kill left unsynced is durable before the ledger counts it (rule replaySync).
    if (size > mark) await file.datasync();
    if (mark > 0 && !(await endsLine(file, mark))) {
      throw new SlipwayError('journal_changed', { path, ledger, problem: `no line ends at byte ${mark}` });
    }
    return journalOver(file, { path, ledger, log, size, inode: (await file.stat()).ino });
  } catch (error) {
    await file.close();
    throw error;
  }
}

// Over 80 lines: what is written, what is durable and what is torn are three ends of one file, which every method moves.
function journalOver(
  file: JournalFile,
  facts: { path: string; ledger: string; log: Log; size: number; inode: number },
): ManifestJournal {
  const { path, ledger, log } = facts;
  /** Durable. */
  let size = facts.size;
  /** Written, and whole. */
  let end = facts.size;
  let tailIsTorn = false;

  async function restoreEnd(): Promise<void> {
    if (!tailIsTorn) return;
    await file.truncate(end);
    tailIsTorn = false;
  }

  /** Where even this fails, the next write or the next start does it. */
  function stays(reason: unknown): void {
    log.debug({ path, reason: reasonOf(reason) }, 'torn end of the journal stays for now');
  }

  async function writeAll(bytes: Buffer): Promise<void> {
    tailIsTorn = true;
    let written = 0;
    while (written < bytes.length) {
      const { bytesWritten } = await file.write(bytes, written, bytes.length - written, end + written);
      written += bytesWritten;
    }
    tailIsTorn = false;
    end += bytes.length;
  }

  async function write(receipts: readonly string[]): Promise<LinePlace[]> {
    if (receipts.length === 0) return [];
    const lines = receipts.map(withSum);
    const bytes = Buffer.from(`${lines.join('\n')}\n`, 'utf8');
    const start = end;
    try {
      await restoreEnd();
      await assertUntouched({ path, ledger, inode: facts.inode, size: end });
      await writeAll(bytes);
    } catch (error) {
      await restoreEnd().catch(stays);
      throw writeError(path, error);
    }
    return placesOf(lines, start);
  }

  function writeNow(receipts: readonly string[]): LinePlace[] | null {
    const lines = receipts.map(withSum);
    const now = statSync(path, { throwIfNoEntry: false });
    if (tailIsTorn || file.fd === undefined || now?.ino !== facts.inode || now.size !== end) return null;
    const bytes = Buffer.from(`${lines.join('\n')}\n`, 'utf8');
    const start = end;
    tailIsTorn = true;
    try {
      for (let written = 0; written < bytes.length; )
        written += writeSync(file.fd, bytes, written, bytes.length - written, start + written);
    } catch {
      return null;
    }
    tailIsTorn = false;
    end += bytes.length;
    return placesOf(lines, start);
  }

  async function sync(): Promise<void> {
    const until = end;
    if (until === size) return;
    try {
      await file.datasync();
    } catch (error) {
      throw writeError(path, error);
    }
    size = until;
  }

  async function takeBack(): Promise<void> {
    end = size;
    tailIsTorn = true;
    await restoreEnd().catch(stays);
  }

  return {
    path,
    size: () => size,

    write,
    writeNow,
    sync,
    takeBack,
    async append(receipts) {
      const places = await write(receipts);
      await sync().catch(async (error: unknown) => {
        await takeBack();
        throw error;
      });
      return places;
    },

    async read(place) {
      const bytes = await readPlace(path, place);
      const receipt = bytes === null ? null : decodeReceipt(bytes.toString('utf8'));
      if (receipt === null) throw new SlipwayError('journal_corrupt', { path, offset: place.offset });
      return receipt;
    },

    lines: (from) => readLines(path, { from, to: size }),
    async *pick(offsets) {
      for await (const line of pickLines(path, offsets)) yield bytesWithoutSum(line);
    },

    async cut(offset) {
      log.warn({ path, offset, bytes: size - offset }, 'cut an unfinished end off the manifest journal');
      await file.truncate(offset);
      await file.datasync();
      size = offset;
      end = offset;
    },

    close: () => file.close(),
  };
}

/** Another writer, an editor that replaced the file, a deleted journal: appending on would lose what it holds. */
async function assertUntouched(known: {
  readonly path: string;
  readonly ledger: string;
  readonly inode: number;
  readonly size: number;
}): Promise<void> {
  const { path, ledger } = known;
  const now = await stat(path).catch(() => null);
  const problem =
    now === null
      ? 'it is gone'
      : now.ino !== known.inode
        ? 'it was replaced'
        : now.size !== known.size
          ? `it has ${now.size} bytes, not ${known.size}`
          : null;
  if (problem !== null) throw new SlipwayError('journal_changed', { path, ledger, problem });
}

function placesOf(lines: readonly string[], start: number): LinePlace[] {
  let offset = start;
  return lines.map((line) => {
    const place = { offset, length: Buffer.byteLength(line, 'utf8') };
    offset += place.length + 1;
    return place;
  });
}

function writeError(path: string, error: unknown): SlipwayError {
  if (error instanceof SlipwayError) return error;
  const reason = reasonOf(error);
  const full = reason === 'ENOSPC' || reason === 'EDQUOT';
  return new SlipwayError(full ? 'disk_full' : 'journal_unwritable', { path, reason }, { cause: error });
}

/** What is forbidden when it is opened stays so until somebody changes it: trying again is no use. */
function openError(path: string, error: unknown): SlipwayError {
  const reason = reasonOf(error);
  const code = FORBIDDEN.has(reason) ? 'journal_forbidden' : 'journal_unwritable';
  return new SlipwayError(code, { path, reason }, { cause: error });
}

async function openOrCreate(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true });
  return open(path, 'r+').catch((error: unknown) => {
    if (reasonOf(error) !== 'ENOENT') throw error;
    return open(path, 'wx+', 0o600);
  });
}

/** @returns the size that remains */
async function cutTornLine(file: JournalFile, options: JournalOptions): Promise<number> {
  const { path, mark, ledger, log } = options;
  const { size } = await file.stat();
  const end = await lastLineEnd(file, size);
  if (end === size) return size;
  // The ledger only ever marks whole lines: what it has recorded is no torn append.
  if (end < mark) throw new SlipwayError('journal_short', { path, size: end, mark, ledger });
  log.warn({ path, offset: end, bytes: size - end }, 'cut a torn last line off the manifest journal');
  await file.truncate(end);
  await file.datasync();
  return end;
}

/** The byte after the last newline. */
async function lastLineEnd(file: JournalFile, size: number): Promise<number> {
  for (let end = size; end > 0; end -= TAIL_BYTES) {
    const start = Math.max(0, end - TAIL_BYTES);
    const tail = Buffer.alloc(Math.min(TAIL_BYTES, end));
    await file.read(tail, 0, tail.length, start);
    const newline = tail.lastIndexOf(NEWLINE);
    if (newline !== -1) return start + newline + 1;
  }
  return 0;
}

async function endsLine(file: JournalFile, offset: number): Promise<boolean> {
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, offset - 1);
  return byte[0] === NEWLINE;
}
