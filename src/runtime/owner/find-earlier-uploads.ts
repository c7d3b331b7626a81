import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { Receipt } from '../../domain/receipt.ts';
import type { EarlierUploads } from '../../intake/admit/earlier-uploads.ts';
import type { PendingJobs } from '../../intake/admit/pending-jobs.ts';
import type { SourceStore } from '../../ledger/store/source-store.ts';
import type { ContentIndex } from '../../ledger/tables/content-index.ts';
import type { InodeIndex } from '../../ledger/tables/inode-index.ts';

/** What is recorded of uploads, as intake asks for it before it sends a file. */
export function earlierUploads(options: {
  readonly destination: string;
  readonly store: SourceStore;
  readonly inodes: InodeIndex;
  /** null: contents are not compared. */
  readonly contents: ContentIndex | null;
  readonly pending: PendingJobs;
  readonly now: () => number;
  readonly log: Log;
}): EarlierUploads {
  const { destination, store, inodes, contents, pending, now, log } = options;
  const { ledger, journal } = store;

  /** The indexes are hints. What stands for another file is what the receipt says, now. */
  async function standIn(id: string, size: number): Promise<Receipt | null> {
    const known = ledger.find(id);
    // One that is to go again was asked for, or an after-action took its file away.
    if (known === null || known.status !== 'uploaded' || known.again) return null;
    const receipt = await journal.read(known).catch((error: unknown) => {
      log.debug({ id, reason: reasonOf(error) }, 'a receipt could not be read; its file is sent');
      return null;
    });
    if (receipt === null) return null;
    const isMeant = receipt.id === id && receipt.status === 'uploaded' && receipt.sha256 !== null;
    return isMeant && receipt.bytes === size && receipt.destination === destination && !isExpired(receipt)
      ? receipt
      : null;
  }

  async function sha256Of(id: string): Promise<string | null> {
    const known = ledger.find(id);
    const receipt = known === null ? null : await journal.read(known).catch(() => null);
    return receipt?.id === id ? receipt.sha256 : null;
  }

  function isExpired({ expiresAt }: Receipt): boolean {
    if (expiresAt === null) return false;
    const atMs = Date.parse(expiresAt);
    // A time nobody can read promises nothing.
    return Number.isNaN(atMs) || atMs <= now();
  }

  return {
    remember: inodes.remember,
    ofInode: inodes.find,
    ofContent: (sha256) => contents?.find(sha256, destination) ?? null,
    standIn,
    sha256Of,
    untilRecorded: pending.waitUntilGone,
  };
}
