import type { LoadedConfig } from '../../config/load-config.ts';
import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import { type BatchTally, emptyTally } from '../../domain/batch-progress.ts';
import type { BatchSource } from '../../domain/batch-source.ts';
import { ERRORS } from '../../domain/errors.ts';
import { type FileVersion, fileVersionId } from '../../domain/file-version.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { decide, rulesOf } from '../../intake/admit/decision.ts';
import { openBatchDiscovery } from '../../intake/batch/batch-discovery.ts';
import { type BatchRoot, createBatchRoot } from '../../intake/batch/batch-root.ts';
import type { BatchSink } from '../../intake/batch/batch-sink.ts';
import type { Ledger } from '../../ledger/ledger-port.ts';
import { readSourceLedger } from '../../ledger/store/source-store.ts';
import { openBatchStates } from '../../ledger/tables/batch-states.ts';
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
  const seen = new Set<string>();
  const skipped: Record<string, number> = {};
  const skippedPaths: Record<string, string[]> = {};
  const tally = emptyTally();
  let files = 0;
  let bytes = 0;
  let known = 0;

  /** Whether it would be sent, as far as the source decides; what would get a receipt instead is counted here. */
  function isSent(name: PathName, { size, mtimeNs }: { size: number; mtimeNs: string }): boolean {
    const version: FileVersion = { source, destination, ...name, size, mtimeNs };
    const id = fileVersionId(version);
    if (seen.has(id)) return false;
    seen.add(id);
    const file = { name, size, ctimeMs: Number.POSITIVE_INFINITY };
    const ruling = decide(file, ledger?.find(id) ?? null, rules);
    if (ruling.kind === 'nothing') known += 1;
    else if (ruling.kind !== 'upload') skip(name, ruling.code);
    return ruling.kind === 'upload';
  }

  function count(name: PathName, file: { readonly size: number; readonly mtimeNs: string }): void {
    if (!isSent(name, file)) return;
    const refusal = preflight({ path: name.path, size: file.size }, limitsOf(definition));
    if (refusal !== null) skip(name, refusal.code);
    else {
      files += 1;
      bytes += file.size;
    }
  }

  function skip(name: PathName, code: string): void {
    skipped[code] = (skipped[code] ?? 0) + 1;
    skippedPaths[code] ??= [];
    if (skippedPaths[code].length < MAX_PATHS_SHOWN) skippedPaths[code].push(name.path);
  }

  const sink: BatchSink = {
    async files(found) {
      for (const file of found) count(file.name, file);
    },
    async entry(name, entry) {
      if (entry.size <= config.spool.maxBytes) count(name, entry);
      else if (isSent(name, entry)) skip(name, 'too_large');
    },
    async refused(name, entry, { code }) {
      if (isSent(name, entry)) skip(name, code in ERRORS ? code : 'internal');
    },
  };
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
  const seconds = definition.rate === null ? null : Math.ceil(files / definition.rate.perSecond);
  return { source, destination, files, bytes, known, skipped, skippedPaths, tally, seconds };
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
