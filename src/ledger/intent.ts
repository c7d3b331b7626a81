import type { AfterAction, AfterActions } from '../domain/after-action.ts';
import type { PathName } from '../domain/path-bytes.ts';
import type { Receipt, ReceiptStatus } from '../domain/receipt.ts';
import { jobIdOf } from '../domain/upload-job.ts';

/** What is to be done with one file version, stored with the commit of its receipt (G4). */
export interface Intent extends PathName {
  readonly v: 1;
  readonly id: string;
  readonly gen: number;
  /** Bytes: with `mtimeNs`, which version of the file it is about. */
  readonly size: number;
  readonly mtimeNs: string;
  /** Which file on disk that was, as its owner saw it. Absent: nobody knows any more. */
  readonly file?: FileOnDisk | undefined;
  readonly status: ReceiptStatus;
  /** Absolute path of the source's folder at that time. */
  readonly root: string;
  /** `keep`: nothing but its sidecar, or that has been done already. */
  readonly action: AfterAction;
  /** Its receipt is to be written beside it. Absent: it is not. */
  readonly sidecar?: true;
  /** Base64: where it lies since it was moved. Absent: where it lay when it was sent. */
  readonly placed?: string;
}

/** A file whatever its name, decimal; `seenMs`: since the epoch, when the intent was made. */
export interface FileOnDisk {
  readonly dev: string;
  readonly ino: string;
  readonly seenMs: number;
}

export type IntentOf = (receipt: Receipt) => Intent | null;

/**
 * What a source wants done after new receipts; a skipped file always stays.
 * @param stateOf which file on disk a job was about; left out: nobody knows
 */
export function intentsFor(
  source: AfterActions & { readonly root: string },
  stateOf: (jobId: string) => { readonly dev: bigint; readonly ino: bigint } | null = () => null,
): IntentOf {
  const { root, sidecar = false } = source;
  return ({ id, gen, path, pathBytes, bytes, mtimeNs, status, error }) => {
    // What was refused in an archive, or for being one, names no file that is to be moved.
    const action = error?.code.startsWith('archive_') ? 'keep' : actionFor(status, source);
    if (action === 'keep' && !sidecar) return null;
    const name: PathName = pathBytes === undefined ? { path } : { path, pathBytes };
    const state = stateOf(jobIdOf(id, gen));
    const file =
      state === null ? undefined : { dev: `${state.dev}`, ino: `${state.ino}`, seenMs: Date.now() };
    const intent: Intent = { v: 1, id, gen, ...name, size: bytes, mtimeNs, file, status, root, action };
    return sidecar ? { ...intent, sidecar } : intent;
  };
}

function actionFor(status: ReceiptStatus, { onSuccess, onFailure }: AfterActions): AfterAction {
  if (status === 'skipped') return 'keep';
  return status === 'uploaded' ? onSuccess : onFailure;
}

/** Whether the source still wants the action: its folder and its options may have changed since. */
export function isWanted(intent: Intent, source: AfterActions & { readonly root: string }): boolean {
  if (intent.root !== source.root) return false;
  const wanted = actionFor(intent.status, source);
  return folderOf(wanted) === folderOf(intent.action) && typeof wanted === typeof intent.action;
}

function folderOf(action: AfterAction): string {
  return typeof action === 'string' ? action : action.moveTo;
}
