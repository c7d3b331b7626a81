import type { Arrival } from '../../domain/lane.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { hashFile } from '../scan/hash-file.ts';
import { isSameFile, type SeenFile } from '../scan/seen-file.ts';
import type { FileStats } from '../scan/stat-files.ts';
import {
  type Candidate,
  type EntryCandidate,
  type FileCandidate,
  isOnDisk,
  type UploadCandidate,
} from './candidate.ts';
import { coalesce } from './coalesce.ts';
import type { Comparable, ContentCheck } from './content-check.ts';
import type { EarlierUploads } from './earlier-uploads.ts';
import { reusedOutcome } from './jobless-outcome.ts';
import type { JoblessReceipt } from './record-without-job.ts';
import { createRenames } from './renames.ts';

/** Where files go from here. */
export interface ReuseEnds {
  /** Into the queue, all of one kind; resolves when they are in it, or out of sight. */
  readonly send: (needs: readonly UploadCandidate[], signal: AbortSignal) => Promise<void>;
  /** Into the manifest, without a job. */
  readonly settle: (receipts: readonly JoblessReceipt[], signal: AbortSignal) => Promise<void>;
  /** Another version lies there now, or none. */
  readonly dropped: (need: Candidate) => void;
}

export interface ReuseOptions {
  /** Absolute path of the source's root. */
  readonly root: string;
  /** Null: contents are not compared. */
  readonly contents: ContentCheck | null;
  readonly fileStats: FileStats;
  readonly uploads: EarlierUploads;
  readonly rootPresent: () => Promise<boolean>;
  /** Takes up another version of a file; it settles anew. */
  readonly take: (file: SeenFile, arrival: Arrival) => void;
  /** Since the epoch. */
  readonly wallMs: () => number;
}

/** Files for which an upload stands already: nothing is sent. */
export interface Reuse {
  /** Takes those out that were renamed, or are to be compared first, and sees to them; the rest is to be sent now. */
  rest(needs: readonly UploadCandidate[], signal: AbortSignal): Promise<readonly UploadCandidate[]>;
}

export function createReuse(options: ReuseOptions, ends: ReuseEnds): Reuse {
  const { root, contents, fileStats, uploads, rootPresent, take, wallMs } = options;
  const renames = createRenames({ fileStats, uploads, rootPresent });

  const receiptOf = (need: UploadCandidate, upload: Receipt): JoblessReceipt => ({
    need,
    outcome: reusedOutcome(need.version, need.ruling.gen, upload, { sight: need.sight, nowMs: wallMs() }),
  });

  // Apart: what was found may wait for room in the queue for long.
  const send = { live: coalesce(ends.send), backlog: coalesce(ends.send) };

  function comparable(need: UploadCandidate): Comparable {
    const { jobId, version, arrival } = need;
    return {
      ...{ jobId, path: version.path, size: version.size, arrival },
      reuse: (upload, signal) => ends.settle([receiptOf(need, upload)], signal),
      send: (signal) => send[arrival](need, signal),
      ...(isOnDisk(need) ? onDisk(need) : unpacked(need)),
    };
  }

  function onDisk(need: FileCandidate): Pick<Comparable, 'hash' | 'isThere' | 'changed'> {
    const { file, arrival } = need;
    return {
      hash: (signal) => hashFile(root, file, signal),
      async isThere() {
        const [look] = await fileStats.at([file.name]);
        return look?.kind === 'file' && isSameFile(look.file, file);
      },
      async changed() {
        const [look] = await fileStats.at([file.name]);
        // In one go: it may be the same version, come back, and is at no moment in none of the books.
        ends.dropped(need);
        if (look?.kind === 'file') take(look.file, arrival);
      },
    };
  }

  /** What lies in the spool stays as it is. */
  function unpacked(need: EntryCandidate): Pick<Comparable, 'hash' | 'isThere' | 'changed'> {
    return {
      hash: async () =>
        need.sha256 === null ? { kind: 'unreadable', error: null } : { kind: 'hashed', sha256: need.sha256 },
      isThere: async () => true,
      changed: async () => ends.dropped(need),
    };
  }

  return {
    async rest(needs, signal) {
      const moved = await renames.among(needs.filter(isOnDisk));
      await ends.settle(
        [...moved].map(([need, upload]) => receiptOf(need, upload)),
        signal,
      );
      const others = moved.size === 0 ? needs : needs.filter((need) => !moved.has(need));
      if (contents === null) return others;
      const isSentAsIs = (need: UploadCandidate): boolean =>
        need.ruling.asked || (!isOnDisk(need) && need.sha256 === null);
      for (const need of others) if (!isSentAsIs(need)) await contents.take(comparable(need), signal);
      return others.filter(isSentAsIs);
    },
  };
}
