import { pathOnDisk } from '../../domain/path-bytes.ts';
import { isReceiptText, RECEIPT_SUFFIX } from '../../domain/receipt.ts';
import { readExactFile } from '../../platform/files/exact-file.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import type { SeenFile } from './seen-file.ts';

/** No receipt is longer. */
const MAX_RECEIPT_BYTES = 256 * 1024;

/**
 * Leaves out the receipts that Slipway wrote beside files (G9): in a source that writes none, or none any more, the
 * name alone does not tell them from a file of the user's, the content does. Only files of that name are read.
 * @param root absolute path of the source's root
 */
export async function withoutOwnReceipts<File extends SeenFile>(
  root: string,
  files: readonly File[],
): Promise<readonly File[]> {
  if (!files.some(isSuspect)) return files;
  const kept: File[] = [];
  for (const file of files) if (!isSuspect(file) || !(await isOwnReceipt(root, file))) kept.push(file);
  return kept;
}

function isSuspect({ name, size }: SeenFile): boolean {
  return name.path.endsWith(RECEIPT_SUFFIX) && size <= MAX_RECEIPT_BYTES;
}

/** What cannot be read is not: as any other file it then fails for all to see. */
async function isOwnReceipt(root: string, { name }: SeenFile): Promise<boolean> {
  try {
    return isReceiptText((await readExactFile(pathOnDisk(realRootOf(root), name))).toString('utf8'));
  } catch {
    return false;
  }
}
