import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { ReceiptStatus } from '../../domain/receipt.ts';
import type { ManifestJournal } from '../../ledger/journal/manifest-journal.ts';
import type { Ledger, StatusCounts } from '../../ledger/ledger.ts';
import { ascending } from '../../ledger/offset-order.ts';
import { writeAtomic } from '../../platform/files/atomic-file.ts';
import type { SnapshotMode } from '../options.ts';
import { fitsBudget, type LastRefresh, MAX_LISTED_FILES, nextRefreshAtMs } from './snapshot-policy.ts';

/** `deferred`: it would take too much of the time now, and is done by itself later. */
export type RefreshResult = 'written' | 'unchanged' | 'deferred' | 'off' | 'failed';

/** The manifest of one source: the latest receipt of every path as one JSON file, valid at every instant (contract §9). */
export interface ManifestSnapshot {
  /** The source has gone idle, or a batch has ended. Never throws. */
  refresh(): Promise<RefreshResult>;
  /** The last refresh, at stop: only if it fits what is left of the drain. Ends a deferred one. Never throws. */
  finish(budgetMs: number): Promise<RefreshResult>;
}

export interface SnapshotOptions {
  readonly path: string;
  readonly mode: SnapshotMode;
  readonly ledger: Ledger;
  readonly journal: ManifestJournal;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds that no clock change touches. */
  readonly monotonicMs?: () => number;
  readonly log: Log;
}

/** A page of the ledger takes a few milliseconds; the event loop turns between two. */
const PATHS_PER_PAGE = 2_000;

const CHUNK_BYTES = 64 * 1024;

interface Content {
  readonly counts: StatusCounts;
  /** Where the receipts to list begin, ascending; null: not listed. */
  readonly offsets: Float64Array | null;
}

export function createSnapshot(options: SnapshotOptions): ManifestSnapshot {
  const { path, mode, ledger, journal, log, monotonicMs = () => performance.now() } = options;
  let last: LastRefresh | null = null;
  let writtenMark = -1;
  let running: Promise<RefreshResult> | null = null;
  let deferred: NodeJS.Timeout | null = null;
  let finished = false;

  function write(): Promise<RefreshResult> {
    running ??= writeNow().finally(() => {
      running = null;
    });
    return running;
  }

  async function writeNow(): Promise<RefreshResult> {
    const mark = ledger.mark();
    const beganMs = monotonicMs();
    try {
      await writeAtomic(path, await snapshotChunks(options), { mode: 0o600 });
      writtenMark = mark;
      return 'written';
    } catch (error) {
      // The journal has it all; the old manifest stays, still valid.
      log.warn({ manifest: path, reason: reasonOf(error) }, 'manifest not refreshed');
      return 'failed';
    } finally {
      const endedAtMs = monotonicMs();
      last = { endedAtMs, durationMs: endedAtMs - beganMs };
    }
  }

  function laterBy(ms: number): void {
    deferred ??= setTimeout(() => {
      deferred = null;
      if (writtenMark !== ledger.mark()) void write();
    }, ms);
    deferred.unref();
  }

  return {
    async refresh() {
      if (mode === 'never') return 'off';
      await running;
      if (finished || writtenMark === ledger.mark()) return 'unchanged';
      const waitMs = nextRefreshAtMs(last) - monotonicMs();
      if (waitMs <= 0) return write();
      laterBy(waitMs);
      return 'deferred';
    },

    async finish(budgetMs) {
      finished = true;
      if (deferred !== null) clearTimeout(deferred);
      if (mode === 'never') return 'off';
      await running;
      if (writtenMark === ledger.mark()) return 'unchanged';
      if (!fitsBudget(budgetMs, isListed(mode, ledger) ? fileCount(ledger) : 0, last)) {
        log.info(
          { manifest: path, journal: journal.path },
          'no time left to refresh the manifest; the journal is complete',
        );
        return 'deferred';
      }
      return write();
    },
  };
}

function fileCount(ledger: Ledger): number {
  const { uploaded, failed, skipped } = ledger.counts().latest;
  return uploaded + failed + skipped;
}

function isListed(mode: SnapshotMode, ledger: Ledger): boolean {
  return mode === 'always' || fileCount(ledger) <= MAX_LISTED_FILES;
}

async function snapshotChunks(options: SnapshotOptions): Promise<AsyncGenerator<string | Buffer>> {
  const { mode, ledger, journal, now } = options;
  const content = isListed(mode, ledger)
    ? await latestReceipts(ledger, journal)
    : { counts: ledger.counts().latest, offsets: null };
  return chunksOf(content, journal, new Date(now()).toISOString());
}

/**
 * Where the latest receipt of every path begins: 8 bytes a file. The counts are taken on the same pass, so that they
 * agree with the files even while recording goes on; in journal order the receipts are then read front to back.
 */
async function latestReceipts(ledger: Ledger, journal: ManifestJournal): Promise<Content> {
  const counts: Record<ReceiptStatus, number> = { uploaded: 0, failed: 0, skipped: 0 };
  let offsets = new Float64Array(PATHS_PER_PAGE);
  let filled = 0;
  let after: Buffer | null = null;
  do {
    const page = ledger.latestPage(after, PATHS_PER_PAGE);
    if (filled + page.offsets.length > offsets.length) offsets = grown(offsets);
    offsets.set(page.offsets, filled);
    filled += page.offsets.length;
    for (const status of ['uploaded', 'failed', 'skipped'] as const) counts[status] += page.counts[status];
    after = page.next;
    await nextTurn();
  } while (after !== null);
  return { counts, offsets: await ascending(offsets.subarray(0, filled), journal.size()) };
}

function grown(offsets: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(offsets.length * 2);
  larger.set(offsets);
  return larger;
}

async function* chunksOf(
  content: Content,
  journal: ManifestJournal,
  generatedAt: string,
): AsyncGenerator<string | Buffer> {
  const { counts, offsets } = content;
  const head = JSON.stringify({ v: 1, generatedAt, counts }).slice(0, -1);
  if (offsets === null) {
    yield `${head},"truncated":true,"journal":${JSON.stringify(journal.path)}}\n`;
    return;
  }
  yield `${head},"files":[`;
  let parts: Buffer[] = [];
  let bytes = 0;
  let separator = Buffer.from('\n');
  for await (const line of journal.pick(offsets)) {
    parts.push(separator, line);
    bytes += line.length;
    separator = COMMA;
    if (bytes < CHUNK_BYTES) continue;
    yield Buffer.concat(parts);
    parts = [];
    bytes = 0;
  }
  yield Buffer.concat(parts);
  yield '\n]}\n';
}

const COMMA = Buffer.from(',\n');
