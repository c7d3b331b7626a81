import type { Log } from '../../domain/log.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { isReceivedId, receivedIdIn } from '../../domain/received-source.ts';
import { openRecordReader, type RecordReader } from '../../ledger/store/record-reader.ts';
import { type KnownSource, namedPaths, placeOf } from '../../runtime/plans/known-sources.ts';

export interface LookupOptions {
  /** A path, a SHA-256, a file version's id (`f…`, with or without `-<generation>`), an id or URL at the destination, or the gateway's id. */
  readonly query: string;
  readonly sources: readonly KnownSource[];
  readonly dataDir: string;
  /** What relative paths are relative to. */
  readonly cwd: string;
  /** Every generation and version, not only the newest. */
  readonly all: boolean;
  readonly log: Log;
}

const SHA256 = /^[0-9a-f]{64}$/i;
const VERSION = /^(f[0-9a-f]{32})(?:-(\d{1,9}))?$/;

/**
 * Finds receipts, beside a running owner or without one. A path or an id costs two reads; everything else one pass
 * over the journal, in constant memory.
 */
export async function* lookUp(options: LookupOptions): AsyncGenerator<Receipt> {
  const { query, sources, dataDir, cwd, log } = options;
  const named = await namedPaths(query, sources, cwd);
  for (const source of sources) {
    const reader = await openRecordReader(placeOf(source, dataDir, log));
    if (reader === null) continue;
    try {
      const paths = named.filter((name) => name.source === source).map(({ path }) => path);
      yield* found(reader, paths, options);
    } finally {
      await reader.close();
    }
  }
}

async function* found(
  reader: RecordReader,
  paths: readonly string[],
  { query, all }: LookupOptions,
): AsyncGenerator<Receipt> {
  const sha256 = SHA256.test(query) ? query.toLowerCase() : null;
  if (sha256 !== null) return yield* matching(reader, sha256, (receipt) => receipt.sha256 === sha256);
  const [, id, gen] = VERSION.exec(query) ?? [];
  if (id !== undefined) {
    const newest = all ? null : await reader.find(id);
    if (newest !== null && (gen === undefined || newest.gen === Number(gen))) return yield newest;
    const meant = (receipt: Receipt): boolean =>
      receipt.id === id && (gen === undefined || receipt.gen === Number(gen));
    return yield* matching(reader, id, meant);
  }
  // The door's own id of what came in by HTTP.
  if (isReceivedId(query)) {
    let latest: Receipt | null = null;
    for await (const receipt of matching(reader, `"${query}/`, ({ path }) => receivedIdIn(path) === query)) {
      if (all) yield receipt;
      latest = receipt;
    }
    if (latest !== null && !all) yield latest;
    return;
  }
  let any = false;
  for (const path of paths) {
    for await (const receipt of ofPath(reader, path, all)) {
      any = true;
      yield receipt;
    }
  }
  if (any) return;
  const known = (receipt: Receipt): boolean =>
    [receipt.fileId, receipt.url, receipt.ref].some((text) => text === query);
  yield* matching(reader, quoted(query), known);
}

/** Receipts of one path: the latest, or all in the order of their recording. */
export async function* ofPath(reader: RecordReader, path: string, all: boolean): AsyncGenerator<Receipt> {
  const latest = all ? null : await reader.findPath({ path });
  if (latest !== null) return yield latest;
  // A name that is not UTF-8 is shown, and typed, with U+FFFD; the ledger knows its bytes only.
  if (!all && !path.includes('\uFFFD')) return;
  yield* matching(reader, quoted(path), (receipt) => receipt.path === path);
}

async function* matching(
  reader: RecordReader,
  containing: string,
  isMeant: (receipt: Receipt) => boolean,
): AsyncGenerator<Receipt> {
  for await (const receipts of reader.all(containing)) yield* receipts.filter(isMeant);
}

/** As the journal writes it. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
