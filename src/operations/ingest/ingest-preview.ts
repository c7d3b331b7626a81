import type { LoadedConfig } from '../../config/load-config.ts';
import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import { type BatchTally, emptyTally } from '../../domain/batch-progress.ts';
import type { BatchSource } from '../../domain/batch-source.ts';
import type { EntryMark } from '../../domain/entry-mark.ts';
import { ERRORS } from '../../domain/errors.ts';
import { type FileVersion, fileVersionId } from '../../domain/file-version.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { decide, type Rules, rulesOf } from '../../intake/admit/decision.ts';
import { entrySameness } from '../../intake/archives/entry-sameness.ts';
import { openBatchDiscovery } from '../../intake/batch/batch-discovery.ts';
import { type BatchRoot, createBatchRoot } from '../../intake/batch/batch-root.ts';
import type { BatchSink } from '../../intake/batch/batch-sink.ts';
import type { Ledger } from '../../ledger/ledger-port.ts';
import { readSourceLedger } from '../../ledger/store/source-store.ts';
import { openBatchStates } from '../../ledger/tables/batch-states.ts';
import { openEntryMarks } from '../../ledger/tables/entry-marks.ts';
import { openKeptRoot } from '../../ledger/tables/root-memory.ts';
import { preflight } from '../../upload/preflight.ts';
import type { IngestPlan } from './ingest-plan.ts';

/** Enough to see which they are. */
const MAX_PATHS_SHOWN = 20;

/** What an ingest would do now. */
export interface IngestPreview {
  readonly source: string;
  readonly destination: string;
  /** To be sent. */
  readonly files: number;
  readonly bytes: number;
  /** Recorded before: not sent again. */
  readonly known: number;
  /** Would get a receipt that says why they are not sent, by its code. */
  readonly skipped: Readonly<Record<string, number>>;
  /** The first few paths of each. */
  readonly skippedPaths: Readonly<Record<string, readonly string[]>>;
  readonly tally: BatchTally;
  /** At the quota that is configured or documented; null: there is none. */
  readonly seconds: number | null;
}

/** Looks through the inputs of one part and sends nothing: no Redis, no receipts. Archives are read, not unpacked. */
export async function previewPart(
  part: BatchSource,
  { plans, definitions }: IngestPlan,
  facts: {
    readonly loaded: LoadedConfig;
    readonly ownPaths: readonly string[];
    readonly log: Log;
    readonly signal: AbortSignal;
  },
): Promise<IngestPreview> {
  const { config } = facts.loaded;
  const { source, destination } = part;
  const plan = plans.find(({ name }) => name === source);
  const definition = definitions.find(({ name }) => name === destination);
  if (plan === undefined || definition === undefined) throw new Error(`no plan of ${source}`);
  const ledger = readSourceLedger(config.dataDir, source);
  const rules = rulesOf({ ...plan, limits: limitsOf(definition) }, () => null);
  const tally = emptyTally();
  const { sink, found } = createCounts({
    ...{ source, destination, ledger, rules, limits: limitsOf(definition) },
    spoolMaxBytes: config.spool.maxBytes,
  });
  const now = () => ({ wallMs: Date.now(), monotonicMs: performance.now() });
  try {
    // What is still being written is counted as it is: nobody waits for a preview.
    const options = {
      ...{ ...plan, settle: 0, minAge: 0, source, ownPaths: facts.ownPaths, now, log: facts.log },
      rootFolder: rootFolderOf(part, ledger, facts.log),
    };
    const discovery = await openBatchDiscovery(options, sink, tally);
    await discovery.discover(part.inputs, facts.signal);
  } finally {
    await ledger?.close();
  }
  const seconds = definition.rate === null ? null : Math.ceil(found.files / definition.rate.perSecond);
  return { source, destination, ...found, tally, seconds };
}

/** Counts what is found, and asks the ledger of each. */
function createCounts(options: {
  readonly source: string;
  readonly destination: string;
  readonly ledger: Ledger | null;
  readonly rules: Rules;
  readonly limits: DestinationDefinition['limits'];
  readonly spoolMaxBytes: number;
}): {
  readonly sink: BatchSink;
  readonly found: Pick<IngestPreview, 'files' | 'bytes' | 'known' | 'skipped' | 'skippedPaths'>;
} {
  const { source, destination, ledger, rules, limits, spoolMaxBytes } = options;
  const seen = new Set<string>();
  const skipped: Record<string, number> = {};
  const skippedPaths: Record<string, string[]> = {};
  const found = { files: 0, bytes: 0, known: 0, skipped, skippedPaths };

  const marks = ledger === null ? null : openEntryMarks(ledger);

  /** Whether it would be sent, as far as the source decides; what would get a receipt instead is counted here. */
  function isSent(
    name: PathName,
    { size, mtimeNs }: { size: number; mtimeNs: string },
    mark: EntryMark | null = null,
  ): boolean {
    const version: FileVersion = { source, destination, ...name, size, mtimeNs };
    const id = fileVersionId(version);
    if (seen.has(id)) return false;
    seen.add(id);
    const file = { name, size, ctimeMs: Number.POSITIVE_INFINITY };
    const recorded = ledger?.find(id) ?? null;
    // What has to be unpacked to be told is not: nothing is here.
    const isOther =
      recorded !== null &&
      mark !== null &&
      entrySameness(recorded, marks?.find(id) ?? null, mark) === 'other';
    const ruling = decide(file, isOther ? { ...recorded, again: true } : recorded, rules);
    if (ruling.kind === 'nothing') found.known += 1;
    else if (ruling.kind !== 'upload') skip(name, ruling.code);
    return ruling.kind === 'upload';
  }

  function count(
    name: PathName,
    file: { readonly size: number; readonly mtimeNs: string },
    mark: EntryMark | null = null,
  ): void {
    if (!isSent(name, file, mark)) return;
    const refusal = preflight({ path: name.path, size: file.size }, limits);
    if (refusal !== null) skip(name, refusal.code);
    else {
      found.files += 1;
      found.bytes += file.size;
    }
  }

  function skip(name: PathName, code: string): void {
    skipped[code] = (skipped[code] ?? 0) + 1;
    skippedPaths[code] ??= [];
    if (skippedPaths[code].length < MAX_PATHS_SHOWN) skippedPaths[code].push(name.path);
  }

  const sink: BatchSink = {
    async files(some) {
      for (const file of some) count(file.name, file);
    },
    async entry(name, entry, { archive }) {
      const mark = { archive, crc32: entry.crc32 };
      if (entry.size <= spoolMaxBytes) count(name, entry, mark);
      else if (isSent(name, entry, mark)) skip(name, 'too_large');
    },
    async refused(name, entry, { code }) {
      if (isSent(name, entry)) skip(name, code in ERRORS ? code : 'internal');
    },
  };
  return { sink, found };
}

/** By the same memory as a real run's, of which nothing changes here. */
function rootFolderOf(part: BatchSource, ledger: Ledger | null, log: Log): BatchRoot {
  const { source, root, batch, inputs, rootIdentity = null } = part;
  const held = ledger === null ? () => null : openKeptRoot(ledger, root, log).held;
  const open = ledger === null ? [] : openBatchStates(source, ledger);
  return createBatchRoot({
    ...{ source, root, memory: { held, remember() {} }, askedFor: rootIdentity },
    walked: inputs.some(({ kind }) => kind !== 'archive'),
    expectsFiles: () => open.some((state) => state.batch === batch && state.done < state.members),
  });
}

function limitsOf(definition: DestinationDefinition | undefined): DestinationDefinition['limits'] {
  return definition?.limits ?? { maxBytes: null, minBytes: null, extensions: null };
}
