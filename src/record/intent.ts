import type { PathName } from '../domain/path-bytes.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { AfterAction, AfterActions } from './options.ts';

/** What is to be done with one file version, stored with the commit of its receipt (G4). */
export interface Intent extends PathName {
  readonly v: 1;
  readonly id: string;
  readonly gen: number;
  /** Bytes: with `mtimeNs`, which version of the file it is about. */
  readonly size: number;
  readonly mtimeNs: string;
  readonly status: 'uploaded' | 'failed';
  /** Absolute path of the source's folder at that time. */
  readonly root: string;
  readonly action: Exclude<AfterAction, 'keep'>;
}

export type IntentOf = (receipt: Receipt) => Intent | null;

/** What a source wants done after new receipts; a skipped file always stays. */
export function intentsFor(source: AfterActions & { readonly root: string }): IntentOf {
  const { onSuccess, onFailure, root } = source;
  return ({ id, gen, path, pathBytes, bytes, mtimeNs, status, error }) => {
    // What was refused in an archive, or for being one, names no file that is to be moved.
    if (status === 'skipped' || error?.code.startsWith('archive_')) return null;
    const action = status === 'uploaded' ? onSuccess : onFailure;
    if (action === 'keep') return null;
    const name: PathName = pathBytes === undefined ? { path } : { path, pathBytes };
    return { v: 1, id, gen, ...name, size: bytes, mtimeNs, status, root, action };
  };
}

/** Whether the source still wants it: its folder and its options may have changed since. */
export function isWanted(intent: Intent, source: AfterActions & { readonly root: string }): boolean {
  if (intent.root !== source.root) return false;
  const wanted = intent.status === 'uploaded' ? source.onSuccess : source.onFailure;
  return folderOf(wanted) === folderOf(intent.action) && typeof wanted === typeof intent.action;
}

function folderOf(action: AfterAction): string {
  return typeof action === 'string' ? action : action.moveTo;
}
