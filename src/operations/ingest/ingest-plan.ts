import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, realpath, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { LoadedConfig } from '../../config/load-config.ts';
import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import type { BatchInput, BatchSource, BatchSpec, ZipNames } from '../../domain/batch-source.ts';
import type { DestinationWords } from '../../domain/destination-words.ts';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { GivenMeta } from '../../domain/file-meta.ts';
import { formatOf, hasArchiveName } from '../../intake/archives/archive-kind.ts';
import { foreignArchive } from '../../intake/archives/discover-archive.ts';
import { journalPathOf } from '../../ledger/journal/manifest-journal.ts';
import { batchFolder, newBatchId, readBatchSpec, writeBatchSpec } from '../../ledger/store/batch-spec.ts';
import { openDataDir } from '../../ledger/store/data-dir.ts';
import { filledFolderIdentityOf } from '../../platform/files/folder-identity.ts';
import { chooseDestination, destinationName } from '../../runtime/plans/destination-choice.ts';
import { withWords } from '../../runtime/plans/said-destination.ts';
import type { SourcePlan } from '../../runtime/plans/source-plan.ts';
import { adHocPlanOf, configuredPlans } from '../../runtime/plans/source-plans.ts';
import { listText } from './list-text.ts';
import { archivePlan, configuredSource, folderPlan, listPlan, missingInput } from './planned-source.ts';

/** What the command line asks for. */
export interface IngestRequest {
  readonly paths: readonly string[];
  readonly to: string | undefined;
  readonly source: string | undefined;
  /** A file, or `-` for `input`. */
  readonly filesFrom: string | undefined;
  /** Whether names in the list end with NUL. */
  readonly nul: boolean;
  readonly manifest: string | undefined;
  /** How names in zips are read that do not say it. */
  readonly zipNames?: ZipNames | undefined;
  /** What else was said of the destination; it is in `loaded` already, and kept for whoever goes on with the batch. */
  readonly words?: DestinationWords | null;
  readonly input: NodeJS.ReadableStream;
  readonly cwd: string;
  readonly nowMs: number;
}

/** A batch and what is needed to send it. */
export interface IngestPlan {
  readonly spec: BatchSpec;
  /** One for each part, in its order. */
  readonly plans: readonly SourcePlan[];
  readonly definitions: readonly DestinationDefinition[];
}

interface PlannedInput {
  readonly plan: SourcePlan;
  readonly input: BatchInput;
}

/**
 * Works out which sources a command means, and what of each. Nothing is written but the names of new sources, and a
 * list that has to be kept.
 * @throws SlipwayError `usage`, `source_missing`, `archive_unreadable`, `data_dir…`
 */
export async function planIngest(request: IngestRequest, loaded: LoadedConfig): Promise<IngestPlan> {
  const { config } = loaded;
  await openDataDir(config.dataDir);
  const batch = newBatchId(request.nowMs);
  const inputs = await plannedInputs(request, loaded, join(batchFolder(config.dataDir), `${batch}.list`));
  const plans = [...new Map(inputs.map(({ plan }) => [plan.name, plan])).values()];
  if (request.manifest !== undefined && plans.length > 1) {
    throw new SlipwayError('usage', {
      problem: '--manifest goes with one source: several PATHs have a manifest each, named at the end',
    });
  }
  const startedAt = new Date(request.nowMs).toISOString();
  const manifestOf = (source: string): string => {
    if (request.manifest !== undefined) return resolve(request.cwd, request.manifest);
    const name = plans.length === 1 ? batch : `${batch}.${source}`;
    return join(batchFolder(config.dataDir), `${name}.manifest.json`);
  };
  const parts: BatchSource[] = [];
  for (const plan of plans) {
    const own = inputs.filter((one) => one.plan.name === plan.name).map(({ input }) => input);
    const rootIdentity = await filledFolderIdentityOf(plan.root);
    parts.push({
      ...{ batch, source: plan.name, destination: plan.destination, root: plan.root, startedAt },
      ...(rootIdentity === null ? {} : { rootIdentity }),
      ...{ sourceManifest: plan.manifest, manifest: manifestOf(plan.name), inputs: own },
    });
  }
  const { to, words = null } = request;
  const said = words === null ? {} : { words: { destination: destinationName(config, to), said: words } };
  const spec: BatchSpec = { v: 1, batch, startedAt, parts, ...said };
  return { spec, plans, definitions: definitionsOf(plans, loaded) };
}

/**
 * A batch that was asked for before.
 * @throws SlipwayError `batch_unknown`
 */
export async function planOfBatch(batch: string, loaded: LoadedConfig): Promise<IngestPlan> {
  const spec = await readBatchSpec(loaded.config.dataDir, batch);
  const { words } = spec;
  return planOfSpec(spec, words === undefined ? loaded : withWords(loaded, words.destination, words.said));
}

/**
 * Names of the destinations of a batch that was asked for before.
 * @throws SlipwayError `batch_unknown`
 */
export async function destinationsOfBatch(batch: string, { config }: LoadedConfig): Promise<string[]> {
  const { parts } = await readBatchSpec(config.dataDir, batch);
  return parts.map(({ destination }) => destination);
}

/**
 * Writes down what is asked for: whoever reads its id from now on can go on with it.
 * @returns where a process in the background says what it does
 */
export async function keepBatch(
  { spec }: IngestPlan,
  dataDir: string,
): Promise<{ readonly logFile: string }> {
  await writeBatchSpec(dataDir, spec);
  return { logFile: join(batchFolder(dataDir), `${spec.batch}.log`) };
}

/** The same batch for a process that goes on with it: by the rules of its source, from where and to where it began. */
export function planOfSpec(spec: BatchSpec, loaded: LoadedConfig): IngestPlan {
  const configured = configuredPlans(loaded.config);
  const plans = spec.parts.map(({ source, root, destination, sourceManifest }): SourcePlan => {
    const rules = configured.find(({ name }) => name === source) ?? adHocPlanOf(source, root, destination);
    return { ...rules, root, destination, manifest: sourceManifest };
  });
  return { spec, plans, definitions: definitionsOf(plans, loaded) };
}

function definitionsOf(plans: readonly SourcePlan[], { config, baseDir }: LoadedConfig) {
  const names = [...new Set(plans.map(({ destination }) => destination))];
  return names.map((name) => config.definitions[name] ?? chooseDestination(config, name, baseDir));
}

async function plannedInputs(
  request: IngestRequest,
  loaded: LoadedConfig,
  list: string,
): Promise<PlannedInput[]> {
  const { paths, to, source, filesFrom, nul } = request;
  if (source !== undefined && to !== undefined)
    throw new SlipwayError('usage', {
      problem: '--source and --to exclude each other: a source names its own destination',
    });
  const named = source === undefined ? null : configuredSource(source, loaded);
  if (filesFrom !== undefined) {
    if (paths.length > 1)
      throw new SlipwayError('usage', { problem: '--files-from goes with one PATH at most, its folder' });
    const base = resolve(request.cwd, paths[0] ?? '.');
    const plan = named ?? (await listPlan(base, request, loaded));
    await keepList(filesFrom, list, request);
    return [{ plan, input: { kind: 'list', file: list, nul, base } }];
  }
  if (paths.length === 0)
    throw new SlipwayError('usage', {
      problem:
        'what is to be ingested? Give a PATH (folder, .zip, .tar, .tar.gz, .tar.zst), --files-from, or --resume ID',
    });
  const inputs: PlannedInput[] = [];
  for (const path of paths) {
    const absolute = resolve(request.cwd, path);
    const stats = await stat(absolute).catch(() => null);
    if (stats === null) throw await missingInput(path, absolute);
    const real = await realpath(absolute);
    if (stats.isDirectory()) {
      const plan = named ?? (await folderPlan(absolute, to, loaded));
      inputs.push({ plan, input: { kind: 'folder', path: await pathInSource(real, plan) } });
    } else if (await isArchive(real)) {
      const plan = named ?? (await archivePlan(real, to, loaded));
      const names = request.zipNames === undefined ? {} : { names: request.zipNames };
      inputs.push({ plan, input: { kind: 'archive', path: real, ...names } });
    } else {
      throw new SlipwayError('usage', {
        problem: `${path} is neither a folder nor a .zip, .tar, .tar.gz, .tgz, .tar.zst or .tzst: name single files with --files-from, or send them with slipway upload`,
      });
    }
  }
  return inputs;
}

/**
 * Whether a file is taken entry by entry: meant so by its name, or one without any ending that is an archive. A .docx
 * or a .jar is a file like any other, although it is a zip inside.
 * @throws SlipwayError `archive_foreign` when another tool has to unpack it
 */
async function isArchive(path: string): Promise<boolean> {
  const isMeant = hasArchiveName(path);
  if (!isMeant && extname(path) !== '') return false;
  const format = await formatOf(path).catch((error: unknown) => {
    throw new SlipwayError('archive_unreadable', { path, reason: reasonOf(error) }, { cause: error });
  });
  if (format.kind === 'foreign') throw foreignArchive(path, format);
  return isMeant || format.kind !== 'unknown';
}

/** '' for all of it. */
async function pathInSource(path: string, plan: SourcePlan): Promise<string> {
  const root = await realpath(plan.root);
  if (path === root) return '';
  if (path.startsWith(`${root}/`)) return path.slice(root.length + 1);
  throw new SlipwayError('usage', {
    problem: `${path} is not in the folder of source ${basename(plan.name)} (${root}): leave --source out, or name a folder in it`,
  });
}

/** A list is kept with the batch: stdin is read once, and a file may be another one when the batch goes on. */
async function keepList(from: string, list: string, { input, cwd, nul }: IngestRequest): Promise<void> {
  await mkdir(dirname(list), { recursive: true, mode: 0o700 });
  const source = from === '-' ? input : createReadStream(resolve(cwd, from));
  try {
    const text = Readable.from(listText(source as AsyncIterable<Buffer>, nul));
    await pipeline(text, createWriteStream(list, { mode: 0o600, flush: true }));
  } catch (error) {
    await rm(list, { force: true });
    if (error instanceof SlipwayError) throw error;
    throw new SlipwayError('config_unreadable', { file: from, reason: reasonOf(error) }, { cause: error });
  }
}

/**
 * The batch with what is attached to its files. A list is kept with it: it may be another one when the batch goes on.
 * @param given its list looked through
 */
export async function withMeta(plan: IngestPlan, given: GivenMeta, dataDir: string): Promise<IngestPlan> {
  if (given.all === null && given.list === null) return plan;
  const { spec } = plan;
  const meta: GivenMeta = { ...given, list: await keptList(given.list, spec.batch, dataDir) };
  return { ...plan, spec: { ...spec, parts: spec.parts.map((part) => ({ ...part, meta })) } };
}

async function keptList(list: string | null, batch: string, dataDir: string): Promise<string | null> {
  if (list === null) return null;
  const kept = join(batchFolder(dataDir), `${batch}.meta.jsonl`);
  await mkdir(batchFolder(dataDir), { recursive: true, mode: 0o700 });
  await pipeline(createReadStream(list), createWriteStream(kept, { mode: 0o600, flush: true }));
  return kept;
}

/** What a batch writes, and is never to send (G9): its manifests may lie where the user wants them. */
export function journalPathsOf({ parts }: BatchSpec): string[] {
  return parts.flatMap(({ manifest, sourceManifest }) =>
    [manifest, sourceManifest].flatMap((path) => [path, journalPathOf(path)]),
  );
}

/** Lists that were kept for a batch that does not come to be. */
export async function forgetLists({ parts }: BatchSpec): Promise<void> {
  for (const { inputs, meta } of parts) {
    for (const input of inputs) if (input.kind === 'list') await rm(input.file, { force: true });
    if (meta?.list != null) await rm(meta.list, { force: true });
  }
}
