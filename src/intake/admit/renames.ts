import type { Receipt } from '../../domain/receipt.ts';
import { isSameFile, type SeenFile } from '../scan/seen-file.ts';
import type { FileStats } from '../scan/stat-files.ts';
import type { FileCandidate, UploadCandidate } from './candidate.ts';
import type { EarlierUploads } from './earlier-uploads.ts';

/** Receipts read and old paths looked at side by side: a folder that was renamed brings all its files at once. */
const AT_ONCE = 16;

export interface RenamesOptions {
  readonly fileStats: FileStats;
  readonly uploads: EarlierUploads;
  /** Whether the folder of the source is there: out of sight is not gone. */
  readonly rootPresent: () => Promise<boolean>;
}

/** Files that were uploaded under another path of the source and have only been moved since. */
export interface Renames {
  /** The receipt of the upload that stands for each of them. */
  among(needs: readonly UploadCandidate<FileCandidate>[]): Promise<Map<UploadCandidate, Receipt>>;
}

/**
 * The same file on disk (device, inode, birth) with the size and time it was uploaded with, and nothing at its old path.
 * An index entry alone proves nothing: the receipt is read, and both paths are looked at.
 */
export function createRenames({ fileStats, uploads, rootPresent }: RenamesOptions): Renames {
  async function movedFrom(file: SeenFile, id: string): Promise<Receipt | null> {
    const receipt = await uploads.standIn(id, file.size);
    if (receipt === null) return null;
    const { path, pathBytes } = receipt;
    const [before] = await fileStats.at([pathBytes === undefined ? { path } : { path, pathBytes }]);
    if (before?.kind !== 'gone') return null;
    // In this order: a mount that is lost between the two shows neither.
    const [after] = await fileStats.at([file.name]);
    const isThere = after?.kind === 'file' && isSameFile(after.file, file);
    return isThere && (await rootPresent()) ? receipt : null;
  }

  return {
    async among(needs) {
      const found = new Map<UploadCandidate, Receipt>();
      const candidates = needs.flatMap((need) => {
        const id = need.ruling.asked ? null : uploads.ofInode(need.file);
        return id === null ? [] : [{ need, id }];
      });
      for (let start = 0; start < candidates.length; start += AT_ONCE) {
        const some = candidates.slice(start, start + AT_ONCE);
        const receipts = await Promise.all(some.map(({ need, id }) => movedFrom(need.file, id)));
        for (const [index, receipt] of receipts.entries()) {
          const need = some[index]?.need;
          if (need !== undefined && receipt !== null) found.set(need, receipt);
        }
      }
      return found;
    },
  };
}
