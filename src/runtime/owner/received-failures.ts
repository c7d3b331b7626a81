import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { receivedIdIn } from '../../domain/received-source.ts';
import { type DeadUpload, readDeadUploads } from '../../ledger/store/dead-upload-reader.ts';
import type { SourceStore } from '../../ledger/store/source-store.ts';
import { openAcceptedFiles } from '../../ledger/tables/accepted-files.ts';
import type { FailedAnswer, FailedRequest, MissingFile } from './failed-uploads.ts';

/** Where the bytes of files lie that the door has accepted, each under its id. */
export function acceptedFolder(dataDir: string): string {
  return join(dataDir, 'gateway', 'accepted');
}

/** What is at hand for the dead letters of files that came in by HTTP. */
export interface ReceivedMeans {
  readonly store: SourceStore;
  readonly dataDir: string;
  /** There is something to be sent. */
  readonly rescan: () => void;
  /** The bytes of these are needed no more; left out: no door is open that counts them. */
  readonly forget?: (ids: readonly string[]) => Promise<void>;
}

const PER_PAGE = 500;
const EXAMPLES = 5;

/** Said of an upload that its caller waited for: nothing of it is kept but the receipt. */
export const NOT_KEPT =
  'it was uploaded while its caller waited, and its bytes were not kept: send it to the gateway again';

/** Those whose bytes were kept go again, as their next generation. */
export async function retryReceived(request: FailedRequest, means: ReceivedMeans): Promise<FailedAnswer> {
  const { ledger } = means.store;
  const accepted = openAcceptedFiles(ledger);
  const { uploads, next } = await pageOf(request, means);
  const kept = uploads.flatMap(({ receipt }) => {
    const file = accepted.find(receivedIdIn(receipt.path) ?? '');
    return file === null ? [] : [{ ...file, gen: receipt.gen + 1 }];
  });
  ledger.transact(() => {
    for (const file of kept) accepted.put(file);
  });
  if (kept.length > 0) means.rescan();
  const missing = uploads
    .filter(({ receipt }) => accepted.find(receivedIdIn(receipt.path) ?? '') === null)
    .map(({ receipt }): MissingFile => ({ path: receipt.path, reason: NOT_KEPT }));
  return {
    versions: uploads.length,
    putBack: 0,
    missing: missing.length,
    examples: missing.slice(0, EXAMPLES),
    next,
  };
}

/** They are dead letters no more, and their bytes go. */
export async function discardReceived(request: FailedRequest, means: ReceivedMeans): Promise<FailedAnswer> {
  const { store } = means;
  const { uploads, next } = await pageOf(request, means);
  const ids = uploads.flatMap(({ receipt }) => receivedIdIn(receipt.path) ?? []);
  await (means.forget ?? forgetIn(means))(ids);
  const versions = store.ledger.deadLetters.discard(uploads.map(({ letter }) => letter));
  return { versions, putBack: 0, missing: 0, examples: [], next };
}

function forgetIn({ store, dataDir }: ReceivedMeans): (ids: readonly string[]) => Promise<void> {
  const accepted = openAcceptedFiles(store.ledger);
  return async (ids) => {
    store.ledger.transact(() => {
      for (const id of ids) accepted.remove(id);
    });
    for (const id of ids) await rm(join(acceptedFolder(dataDir), id), { force: true });
  };
}

async function pageOf(
  { filter, after }: FailedRequest,
  { store }: ReceivedMeans,
): Promise<{ readonly uploads: readonly DeadUpload[]; readonly next: string | null }> {
  const start = after === null ? null : Buffer.from(after, 'hex');
  const page = await readDeadUploads(store.ledger, store.journal.path, filter, start, PER_PAGE);
  return { uploads: page.uploads, next: page.next?.toString('hex') ?? null };
}
