import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { archiveOfPath } from '../../intake/archives/entry-name.ts';
import { createFileStats, type FileStat } from '../../intake/scan/stat-files.ts';
import { inParts } from '../../ledger/commit-in-parts.ts';
import {
  type DeadUpload,
  type DeadUploadFilter,
  readDeadUploads,
} from '../../ledger/store/dead-upload-reader.ts';
import type { SourceStore } from '../../ledger/store/source-store.ts';
import { findMoved, type MovedVersion, putMovedBack } from '../../record/after/moved-away.ts';
import type { SourcePlan } from '../plans/source-plan.ts';

/** What is to be done with the dead letters of a source: the next page of those that the filter means. */
export interface FailedRequest {
  /** `retry-failed`: they go again, as their next generation. `discard-failed`: they are given up. */
  readonly kind: 'retry-failed' | 'discard-failed';
  readonly filter: DeadUploadFilter;
  /** `next` of the page before; null to begin. */
  readonly after: string | null;
}

export interface FailedAnswer {
  /** Dead letters that were meant, and are dealt with now. */
  readonly versions: number;
  /** Of them, files that had been moved away and lie in their place again. */
  readonly putBack: number;
  /** Of them, those whose file is not where it could be sent from, and why; only the first of a page are told. */
  readonly missing: number;
  readonly examples: readonly MissingFile[];
  readonly next: string | null;
}

export interface MissingFile {
  readonly path: string;
  readonly reason: string;
}

/** What the owner has at hand for it. */
interface FailedMeans {
  readonly store: SourceStore;
  readonly plan: SourcePlan;
  readonly rescan: (first?: string) => void;
  readonly log: Log;
}

/** A page is done within a moment: each of its files is looked at, some are moved. */
const PER_PAGE = 500;
const EXAMPLES = 5;
const FEW = 100;

/**
 * They go again, with fresh attempts: marked in the ledger first, so that a file which comes back later is sent too;
 * then what `onFailure` had moved away is put back, so that it can be.
 */
export async function retryFailed(request: FailedRequest, means: FailedMeans): Promise<FailedAnswer> {
  const { ledger } = means.store;
  const { uploads, next } = await pageOf(request, means);
  await inParts(uploads, (part) => ledger.sendAgain(part.map(({ letter }) => letter.version)));
  const missing: MissingFile[] = [];
  let putBack = 0;
  const fileStats = createFileStats(means.plan.root, () => false, performance.now);
  const [root, ...found] = await fileStats.at([{ path: '' }, ...uploads.map(({ receipt }) => receipt)]);
  for (const [index, upload] of uploads.entries()) {
    const came = await comeBack(upload, found[index], root?.kind === 'gone', means);
    if (came === 'put back') putBack += 1;
    else if (came !== 'there') missing.push({ path: upload.receipt.path, reason: came.reason });
  }
  if (next === null) means.rescan();
  // A few are what somebody waits for; many are a backlog like any other.
  if (next === null && request.after === null && uploads.length <= FEW)
    for (const { receipt } of uploads) means.rescan(receipt.path);
  return {
    versions: uploads.length,
    putBack,
    missing: missing.length,
    examples: missing.slice(0, EXAMPLES),
    next: next?.toString('hex') ?? null,
  };
}

/** They are dead letters no more; what is recorded of them stays, and a new version of the file goes as any. */
export async function discardFailed(request: FailedRequest, means: FailedMeans): Promise<FailedAnswer> {
  const { uploads, next } = await pageOf(request, means);
  const { deadLetters } = means.store.ledger;
  const versions = await inParts(uploads, (part) => deadLetters.discard(part.map(({ letter }) => letter)));
  return { versions, putBack: 0, missing: 0, examples: [], next: next?.toString('hex') ?? null };
}

function pageOf(
  { filter, after }: FailedRequest,
  { store }: FailedMeans,
): ReturnType<typeof readDeadUploads> {
  const { ledger, journal } = store;
  const start = after === null ? null : Buffer.from(after, 'hex');
  return readDeadUploads(ledger, journal.path, filter, start, PER_PAGE);
}

/** Whether the file lies where it is sent from; one that `onFailure` moved away is put there. */
async function comeBack(
  { receipt }: DeadUpload,
  look: FileStat | undefined,
  rootGone: boolean,
  { plan, log }: FailedMeans,
): Promise<'there' | 'put back' | { readonly reason: string }> {
  const { root, onFailure } = plan;
  if (rootGone) return { reason: `the folder ${root} is not there: it is sent once it is` };
  // Another version there speaks for itself, and this one is sent no more.
  if (look?.kind === 'file') return 'there';
  if (look?.kind !== 'gone') return { reason: 'what lies there now is no file that can be read' };
  const archive = archiveOfPath(receipt.path);
  if (archive !== null) return { reason: `it is in an archive: repeat slipway ingest with ${archive}` };
  if (onFailure === 'keep') return { reason: 'it is not on disk: it is sent once it is put back' };
  const version: MovedVersion = receipt;
  const from = await findMoved(onFailure.moveTo, root, version);
  if (from === null) {
    return { reason: `it is neither there nor in ${onFailure.moveTo}: it is sent once it is put back` };
  }
  try {
    if (await putMovedBack(root, version, from)) return 'put back';
    return { reason: `its name is taken; it lies at ${from.toString('utf8')}` };
  } catch (error) {
    log.warn({ path: receipt.path, reason: reasonOf(error) }, 'a file could not be put back');
    return { reason: `it could not be put back (${reasonOf(error)}); it lies at ${from.toString('utf8')}` };
  }
}
