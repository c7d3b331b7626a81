import type { LoadedConfig } from '../config/load-config.ts';
import type { DestinationDefinition } from '../destinations/definition.ts';
import { loadPreset, presetNames } from '../destinations/presets.ts';
import { ERRORS } from '../domain/errors.ts';
import { type FileVersion, fileVersionId } from '../domain/file-version.ts';
import type { Log } from '../domain/log.ts';
import type { PathName } from '../domain/path-bytes.ts';
import { nextGeneration } from '../intake/admission.ts';
import { openBatchDiscovery } from '../intake/batch-discovery.ts';
import { type BatchSink, type BatchTally, emptyTally } from '../intake/batch-sink.ts';
import { readSourceLedger } from '../record/source-store.ts';
import { preflight } from '../upload/preflight.ts';
import type { BatchPart } from './batch-spec.ts';
import type { IngestPlan } from './ingest-plan.ts';

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
  readonly tally: BatchTally;
  /** At the quota the destination documents; null: it documents none. */
  readonly seconds: number | null;
}

/** Looks through the inputs of one part and sends nothing: no Redis, no receipts. Archives are read, not unpacked. */
export async function previewPart(
  part: BatchPart,
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
  const seen = new Set<string>();
  const skipped: Record<string, number> = {};
  const tally = emptyTally();
  let files = 0;
  let bytes = 0;
  let known = 0;

  function isNew(name: PathName, { size, mtimeNs }: { size: number; mtimeNs: string }): boolean {
    const version: FileVersion = { source, destination, ...name, size, mtimeNs };
    const id = fileVersionId(version);
    if (seen.has(id)) return false;
    seen.add(id);
    if (nextGeneration(ledger?.find(id) ?? null) !== null) return true;
    known += 1;
    return false;
  }

  function count(name: PathName, file: { readonly size: number; readonly mtimeNs: string }): void {
    if (!isNew(name, file)) return;
    const refusal = preflight({ path: name.path, size: file.size }, limitsOf(definition));
    if (refusal !== null) skip(refusal.code);
    else {
      files += 1;
      bytes += file.size;
    }
  }

  function skip(code: string): void {
    skipped[code] = (skipped[code] ?? 0) + 1;
  }

  const sink: BatchSink = {
    async files(found) {
      for (const file of found) count(file.name, file);
    },
    async entry(name, entry) {
      if (entry.size <= config.spool.maxBytes) count(name, entry);
      else if (isNew(name, entry)) skip('too_large');
    },
    async refused(name, entry, { code }) {
      if (isNew(name, entry)) skip(code in ERRORS ? code : 'internal');
    },
  };
  const now = () => ({ wallMs: Date.now(), monotonicMs: performance.now() });
  try {
    // What is still being written is counted as it is: nobody waits for a preview.
    const options = { ...plan, settle: 0, source, ownPaths: facts.ownPaths, now, log: facts.log };
    const discovery = await openBatchDiscovery(options, sink, tally);
    await discovery.discover(part.inputs, facts.signal);
  } finally {
    await ledger?.close();
  }
  const perSecond = documentedRate(destination, facts.loaded);
  const seconds = perSecond === null ? null : Math.ceil(files / perSecond);
  return { source, destination, files, bytes, known, skipped, tally, seconds };
}

function limitsOf(definition: DestinationDefinition | undefined): DestinationDefinition['limits'] {
  return definition?.limits ?? { maxBytes: null, minBytes: null, extensions: null };
}

/** Uploads a second that the preset says the service takes. */
function documentedRate(destination: string, { config }: LoadedConfig): number | null {
  const name = config.destinations[destination]?.preset ?? destination;
  const rate = presetNames().includes(name) ? loadPreset(name).rate : undefined;
  if (rate === undefined) return null;
  return 'perSecond' in rate ? rate.perSecond : rate.perMinute / 60;
}
