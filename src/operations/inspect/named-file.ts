import type { Log } from '../../domain/log.ts';
import { type PathName, pathNameOf } from '../../domain/path-bytes.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { GATEWAY_SOURCE, receivedIdIn } from '../../domain/received-source.ts';
import { type DiskState, diskStateOf } from '../../intake/scan/disk-state.ts';
import { openRecordReader } from '../../ledger/store/record-reader.ts';
import { acceptedFolder } from '../../runtime/owner/received-failures.ts';
import { type KnownSource, type NamedPath, namedPaths, placeOf } from '../../runtime/plans/known-sources.ts';
import { ofPath } from './lookup.ts';

/** One file as its source knows it: what is recorded of it, and what lies on disk. */
export interface NamedFile {
  readonly source: KnownSource;
  readonly name: PathName;
  /** Every receipt of this path, oldest first. */
  readonly receipts: readonly Receipt[];
  /** The one that says how it stands; null: nothing is recorded. */
  readonly latest: Receipt | null;
  readonly disk: DiskState;
  /** Journal bytes at that moment. */
  readonly mark: number;
}

/**
 * Finds a file a user named. Of several sources that a bare path may mean, those that know the file, or whose folder
 * holds it, count.
 * @param options.history false: of the receipts only the latest is read, which costs two reads instead of a pass
 */
export async function findFiles(options: {
  readonly path: string;
  readonly sources: readonly KnownSource[];
  readonly ownPaths: readonly string[];
  readonly dataDir: string;
  readonly cwd: string;
  readonly history: boolean;
  readonly nowMs: number;
  readonly log: Log;
}): Promise<NamedFile[]> {
  const found: NamedFile[] = [];
  for (const named of await namedPaths(options.path, options.sources, options.cwd)) {
    const file = await fileAt(named, options);
    const isThere = file.disk.kind !== 'gone' && file.disk.kind !== 'root-gone';
    if (file.latest !== null || isThere) found.push(file);
  }
  return found;
}

async function fileAt(
  { source, path }: NamedPath,
  options: Parameters<typeof findFiles>[0],
): Promise<NamedFile> {
  const { ownPaths, dataDir, history, nowMs, log } = options;
  const reader = await openRecordReader(placeOf(source, dataDir, log));
  const receipts: Receipt[] = [];
  let latest: Receipt | null = null;
  try {
    if (reader !== null) {
      for await (const receipt of ofPath(reader, path, history)) receipts.push(receipt);
      latest = (await reader.findPath(nameOf(receipts.at(-1), path))) ?? receipts.at(-1) ?? null;
    }
  } finally {
    await reader?.close();
  }
  const name = nameOf(latest ?? undefined, path);
  const disk =
    source.name === GATEWAY_SOURCE
      ? await acceptedState(name, source, options)
      : await diskStateOf(name, { ...source.plan, ownPaths }, nowMs);
  return { source, name, receipts, latest, disk, mark: reader?.mark ?? 0 };
}

/** The bytes of what came in by HTTP lie under its id, as long as they are needed. */
async function acceptedState(
  { path }: PathName,
  { plan }: KnownSource,
  { dataDir, nowMs }: Parameters<typeof findFiles>[0],
): Promise<DiskState> {
  const id = receivedIdIn(path);
  if (id === null) return { kind: 'gone' };
  const place = { ...plan, root: acceptedFolder(dataDir), ownPaths: [], settle: 0 };
  return await diskStateOf({ path: id }, place, nowMs);
}

/** A name that is not UTF-8 cannot be typed; its receipt has the bytes. */
function nameOf(receipt: Receipt | undefined, path: string): PathName {
  if (receipt?.pathBytes === undefined) return pathNameOf(Buffer.from(path, 'utf8'));
  return { path: receipt.path, pathBytes: receipt.pathBytes };
}
