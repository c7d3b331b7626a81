import { existsSync } from 'node:fs';
import type { LoadedConfig } from '../../config/load-config.ts';
import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import type { DestinationLimits } from '../../destinations/destination.ts';
import { type BatchTally, emptyTally } from '../../domain/batch-progress.ts';
import type { BatchInput, BatchSource } from '../../domain/batch-source.ts';
import type { EntryMark } from '../../domain/entry-mark.ts';
import { ERRORS } from '../../domain/errors.ts';
import { type FileVersion, fileVersionId } from '../../domain/file-version.ts';
import { type Log, silentLog } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { type Decision, decide, type JudgedFile, type Rules, rulesOf } from '../../intake/admit/decision.ts';
import { entrySameness } from '../../intake/archives/entry-sameness.ts';
import { openBatchDiscovery } from '../../intake/batch/batch-discovery.ts';
import { type BatchRoot, createBatchRoot } from '../../intake/batch/batch-root.ts';
import type { BatchSink } from '../../intake/batch/batch-sink.ts';
import { createLeftOutNames } from '../../intake/batch/left-out-names.ts';
import { journalPathOf } from '../../ledger/journal/manifest-journal.ts';
import type { Ledger } from '../../ledger/ledger-port.ts';
import { readSourceLedger } from '../../ledger/store/source-store.ts';
import { openBatchStates } from '../../ledger/tables/batch-states.ts';
import { openEntryMarks } from '../../ledger/tables/entry-marks.ts';
import { firstPassOf } from '../../ledger/tables/first-pass.ts';
import { openKeptRoot } from '../../ledger/tables/root-memory.ts';
import type { SourcePlan } from '../../runtime/plans/source-plan.ts';
import { preflight } from '../../upload/preflight.ts';
import type { IngestPlan } from './ingest-plan.ts';

/** Enough to see which they are. */
const MAX_PATHS_SHOWN = 20;
const NO_LIMITS: DestinationLimits = { maxBytes: null, minBytes: null, extensions: null };

/** What would become of files if they were sent now. */
export interface Preview {
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
}

/** What an ingest would do now. */
export interface IngestPreview extends Preview {
  readonly source: string;
  readonly destination: string;
  /** At the quota that is configured or documented; null: there is none. */
  readonly seconds: number | null;
}

interface PreviewOptions {
  readonly plan: SourcePlan;
  readonly inputs: readonly BatchInput[];
  readonly ledger: Ledger | null;
  readonly limits: DestinationLimits;
  readonly rules: Rules;
  readonly rootFolder: BatchRoot;
  /** A larger file of an archive is skipped. */
  readonly spoolMaxBytes: number;
  readonly ownPaths: readonly string[];
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Looks through the inputs of one part and sends nothing: no Redis, no receipts. Archives are read, not unpacked.
 * @throws SlipwayError `source_missing`, `source_unmounted`
 */
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
  const { source, destination, inputs } = part;
  const plan = plans.find(({ name }) => name === source);
  const definition = definitions.find(({ name }) => name === destination);
  if (plan === undefined || definition === undefined) throw new Error(`no plan of ${source}`);
  const limits = limitsOf(definition);
  const ledger = readSourceLedger(config.dataDir, source);
  try {
    const preview = await previewOf({
      ...{ ...facts, plan: { ...plan, destination }, inputs, ledger, limits },
      rules: rulesOf({ ...plan, limits }, () => null),
      rootFolder: rootFolderOf(part, ledger, facts.log),
      spoolMaxBytes: config.spool.maxBytes,
    });
    const { rate } = definition;
    const seconds = rate === null ? null : Math.ceil(preview.files / rate.perSecond);
    return { source, destination, ...preview, seconds };
  } finally {
    await ledger?.close();
  }
}

/**
 * What a start would send now from these sources: found on disk and not recorded. Asked before the first start with a
 * public destination (G9); a folder that cannot be read counts for nothing.
 */
export async function backlogOf(
  plans: readonly SourcePlan[],
  ownPaths: readonly string[],
  dataDir: string,
  limits: DestinationLimits,
): Promise<Pick<Preview, 'files' | 'bytes'>> {
  let files = 0;
  let bytes = 0;
  for (const plan of plans) {
    const ledger = readSourceLedger(dataDir, plan.name);
    // A journal without its ledger is replayed at the start: the first one was long ago.
    const isFirst = ledger !== null || !existsSync(journalPathOf(plan.manifest));
    const firstStartMs = plan.existing === 'skip' && isFirst ? firstPassOf(ledger, Date.now()) : null;
    try {
      const found = await previewOf({
        ...{ plan, ledger, limits, ownPaths, spoolMaxBytes: 0, log: silentLog },
        inputs: [{ kind: 'folder', path: '' }],
        rules: rulesOf({ ...plan, limits }, () => firstStartMs),
        rootFolder: { assert: async () => {}, isPresent: async () => true, holdsFiles() {} },
        signal: new AbortController().signal,
      });
      files += found.files;
      bytes += found.bytes;
    } finally {
      await ledger?.close();
    }
  }
  return { files, bytes };
}

async function previewOf(options: PreviewOptions): Promise<Preview> {
  const { plan, ownPaths, rootFolder, inputs, log, signal } = options;
  const tally = emptyTally();
  const count = counting(options);
  const now = () => ({ wallMs: Date.now(), monotonicMs: performance.now() });
  const discovery = await openBatchDiscovery(
    // What is still being written is counted as it is: nobody waits for a preview.
    { ...plan, settle: 0, minAge: 0, source: plan.name, ownPaths, now, log, rootFolder },
    count.sink,
    { tally, leftOut: createLeftOutNames(tally, plan.name, log) },
  );
  await discovery.discover(inputs, signal);
  return { ...count.counts(), tally };
}

/** Counts what it is given as a run would judge it. */
function counting(options: PreviewOptions) {
  const { inputs, limits, spoolMaxBytes } = options;
  const rulingOn = judging(options);
  // One folder names no file twice, and may hold millions.
  const seen = inputs.length === 1 && inputs[0]?.kind === 'folder' ? null : new Set<string>();
  const skipped: Record<string, number> = {};
  const skippedPaths: Record<string, string[]> = {};
  const sent = { files: 0, bytes: 0 };
  let known = 0;

  /** Whether it would be sent, as far as the source decides; what would get a receipt instead is counted here. */
  function isSent(file: Judged, mark: EntryMark | null = null): boolean {
    const { id, ruling } = rulingOn(file, mark);
    if (seen?.has(id) === true) return false;
    seen?.add(id);
    if (ruling.kind === 'nothing') known += 1;
    else if (ruling.kind !== 'upload') skip(file.name, ruling.code);
    return ruling.kind === 'upload';
  }

  function count(file: Judged, mark: EntryMark | null = null): void {
    if (!isSent(file, mark)) return;
    const { name, size } = file;
    const refusal = preflight({ path: name.path, size }, limits);
    if (refusal !== null) skip(name, refusal.code);
    else {
      sent.files += 1;
      sent.bytes += size;
    }
  }

  function skip(name: PathName, code: string): void {
    skipped[code] = (skipped[code] ?? 0) + 1;
    skippedPaths[code] ??= [];
    if (skippedPaths[code].length < MAX_PATHS_SHOWN) skippedPaths[code].push(name.path);
  }

  // Whoever names an archive means it, whenever its files got there.
  const inArchive = { ctimeMs: Number.POSITIVE_INFINITY };
  const sink: BatchSink = {
    async files(found) {
      for (const file of found) count(file);
    },
    async entry(name, entry, { archive }) {
      const mark = { archive, crc32: entry.crc32 };
      if (entry.size <= spoolMaxBytes) count({ ...entry, name, ...inArchive }, mark);
      else if (isSent({ ...entry, name, ...inArchive }, mark)) skip(name, 'too_large');
    },
    async refused(name, entry, { code }) {
      if (isSent({ ...entry, name, ...inArchive })) skip(name, code in ERRORS ? code : 'internal');
    },
  };
  return { sink, counts: () => ({ ...sent, known, skipped, skippedPaths }) };
}

interface Judged extends JudgedFile {
  readonly mtimeNs: string;
}

/** Asks the ledger. What of an archive has to be unpacked to be told is not: nothing is here. */
function judging({ plan, ledger, rules }: PreviewOptions) {
  const { name: source, destination } = plan;
  const marks = ledger === null ? null : openEntryMarks(ledger);
  return (file: Judged, mark: EntryMark | null): { readonly id: string; readonly ruling: Decision } => {
    const { name, size, mtimeNs } = file;
    const version: FileVersion = { source, destination, ...name, size, mtimeNs };
    const id = fileVersionId(version);
    const recorded = ledger?.find(id) ?? null;
    const isOther =
      recorded !== null &&
      mark !== null &&
      entrySameness(recorded, marks?.find(id) ?? null, mark) === 'other';
    return { id, ruling: decide(file, isOther ? { ...recorded, again: true } : recorded, rules) };
  };
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

function limitsOf(definition: DestinationDefinition): DestinationLimits {
  return definition.limits ?? NO_LIMITS;
}
