import { lstat } from 'node:fs/promises';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { bytesOf } from '../../domain/path-bytes.ts';
import type { Intent } from '../../ledger/intent.ts';
import { readPlace } from '../../ledger/journal/journal-reader.ts';
import { bytesWithoutSum } from '../../ledger/journal/line-sum.ts';
import { decodeReceipt } from '../../ledger/journal/receipt-codec.ts';
import { syncedFolder } from '../../ledger/journal/synced-folder.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { Recorded } from '../../ledger/ledger-codec.ts';
import { inFolder, pathIn, splitPath } from '../../platform/files/exact-folder.ts';
import { suffixed } from '../../platform/files/free-name.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import { originalOf } from './set-aside.ts';
import { isSidecarOfAnother, removeUnfinished, writeSidecar } from './sidecar-file.ts';

const SLASH = 0x2f;
/** FAT keeps times to two seconds. */
const TIME_STEP_MS = 2_000;

/** Writes receipts beside the files of one source (`sidecar: true`). */
export interface Sidecars {
  /**
   * @param placed where the file lies since it was moved; null: where it lay when it was sent
   * @returns `later`: it cannot be written now, and is to be tried again
   */
  write(intent: Intent, placed: Buffer | null): Promise<'done' | 'later'>;
  /** It is not wanted any more: takes away what a crash may have left of it. */
  forget(intent: Intent, placed: Buffer | null): Promise<void>;
  /** Makes the names of those just written durable; to be called before their intents end. */
  synced(): Promise<void>;
  /** A new round: folders that could not be written are tried again. */
  tryAgain(): void;
}

/** @param options.journal path of the manifest's journal, where the receipts are */
export function createSidecars(options: {
  readonly ledger: Ledger;
  readonly journal: string;
  readonly log: Log;
}): Sidecars {
  const { ledger, journal, log } = options;
  /** Not tried again in this round: every other file of the folder would fail the same way. */
  const blocked = new Set<string>();
  const unsynced = new Set<string>();
  let told = false;

  /** null: a newer receipt speaks for the file, and is written in its place. */
  function recordedOf(intent: Intent, placed: Buffer | null): Recorded | null {
    const known = ledger.find(intent.id);
    if (known === null || known.gen !== intent.gen) return null;
    if (placed === null && ledger.findPath(intent)?.offset !== known.offset) return null;
    return known;
  }

  function refused(path: string, reason: string): 'done' {
    log.warn(
      { path, reason },
      `the receipt of this file is not written beside it, ${reason}; the manifest has it`,
    );
    return 'done';
  }

  function failed(path: string, folder: string, error: unknown): 'done' | 'later' {
    const { code } = error as NodeJS.ErrnoException;
    // Its folder went away, and the user took the file with it.
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'done';
    if (code === 'ENAMETOOLONG') return refused(path, 'as the name would be too long');
    blocked.add(folder);
    if (!told) {
      log.warn(
        { path, reason: reasonOf(error) },
        `receipts cannot be written beside files here (${reasonOf(error)}); everything else goes on, and they follow once it is possible`,
      );
    }
    told = true;
    return 'later';
  }

  return {
    async write(intent, placed) {
      const file = placed ?? originalOf(intent);
      const key = `${intent.id}-${intent.gen}`;
      const folder = file.toString('latin1', 0, file.lastIndexOf(SLASH));
      if (blocked.has(folder)) return 'later';
      const recorded = recordedOf(intent, placed);
      if (recorded === null) return await removeUnfinished(file, key).then(() => 'done');
      const line = await lineOf(journal, intent, recorded).catch(() => 'unreadable' as const);
      if (line === 'unreadable' || line === null) return line === null ? 'done' : 'later';
      try {
        if (!(await writeSidecar(file, line, key))) {
          return refused(intent.path, 'as its name is taken by a file that is not ours');
        }
        told = false;
        unsynced.add(folder);
        return 'done';
      } catch (error) {
        return failed(intent.path, folder, error);
      }
    },
    forget: (intent, placed) => removeUnfinished(placed ?? originalOf(intent), `${intent.id}-${intent.gen}`),
    async synced() {
      const folders = [...unsynced];
      unsynced.clear();
      for (const folder of folders) {
        // One that went away meanwhile took its receipts along.
        await inFolder(Buffer.from(folder, 'latin1'), syncedFolder).catch(() => {});
      }
    },
    tryAgain: () => blocked.clear(),
  };
}

async function lineOf(journal: string, intent: Intent, recorded: Recorded): Promise<Buffer | null> {
  const line = await readPlace(journal, recorded);
  return line !== null && decodeReceipt(line.toString('utf8'))?.id === intent.id
    ? bytesWithoutSum(line)
    : null;
}

/**
 * Where a file lies that was moved before a crash: under its name in the target folder, or with the suffix it got there.
 * @returns its plain name where it is not found: somebody has taken it on
 */
export async function placeOfMoved(intent: Intent): Promise<Buffer | null> {
  if (typeof intent.action !== 'object') return null;
  const target = Buffer.concat([Buffer.from(`${realRootOf(intent.action.moveTo)}/`), bytesOf(intent)]);
  const { parent, name } = splitPath(target);
  const mtimeMs = Number(BigInt(intent.mtimeNs) / 1_000_000n);
  const search = inFolder(parent, async (at) => {
    for (let count = 1; ; count += 1) {
      const entry = count === 1 ? Buffer.from(name) : suffixed(Buffer.from(name), count);
      const candidate = pathIn(parent, entry);
      const stats = await lstat(pathIn(at, entry)).catch(() => null);
      if (stats === null) return target;
      const same = stats.size === intent.size && Math.abs(stats.mtimeMs - mtimeMs) <= TIME_STEP_MS;
      if (same && !(await isSidecarOfAnother(candidate, intent.id))) return candidate;
    }
  });
  return await search.catch(() => target);
}
