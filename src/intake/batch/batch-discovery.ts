import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchTally } from '../../domain/batch-progress.ts';
import type { BatchInput } from '../../domain/batch-source.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { discoverArchive } from '../archives/discover-archive.ts';
import type { Filter } from '../scan/filter.ts';
import { withoutOwnFiles } from '../scan/own-files.ts';
import { type RescanReport, rescan } from '../scan/rescan.ts';
import type { SeenFile, SettledFile } from '../scan/seen-file.ts';
import { createSettle, patienceMsOf, type Settle } from '../scan/settle.ts';
import { openSourceFilter } from '../scan/source-filter.ts';
import { createFileStats } from '../scan/stat-files.ts';
import { whyUnreadable } from '../scan/why-unreadable.ts';
import { networkFileSystemOf } from '../watch/network-fs.ts';
import type { BatchDiscoveryOptions, BatchSink, DiscoveryDeps } from './batch-sink.ts';
import { discoverList } from './discover-list.ts';
import type { LeftOutNames } from './left-out-names.ts';

export interface BatchDiscovery {
  /**
   * One pass over every input; ends when everything found has been taken by the sink.
   * @throws SlipwayError `source_missing` or `source_unmounted` when the root is not there before or after: nothing is
   * concluded then
   */
  discover(inputs: readonly BatchInput[], signal: AbortSignal): Promise<void>;
  /** The same for single files, which may have become another version. */
  lookAgain(names: readonly PathName[], signal: AbortSignal): Promise<void>;
  /** Files seen by the pass under way that are not whole, or not old enough, yet. */
  unsettled(): number;
}

/** Files being written at the same time; past it the walk waits for them. */
const MAX_TRACKED = 100_000;
const DUE_PER_STEP = 256;

/**
 * What belongs to a batch, found by the rules of the watcher: the same filter, the same looks, the same settle.
 * @param found counted up, and named, on the way
 */
export async function openBatchDiscovery(
  options: BatchDiscoveryOptions,
  sink: BatchSink,
  { tally, leftOut }: { readonly tally: BatchTally; readonly leftOut: LeftOutNames },
): Promise<BatchDiscovery> {
  const { root, now, rootFolder, minAge } = options;
  const isLocal = (await networkFileSystemOf(root)) === null;
  const base: Base = {
    ...{ options, sink, tally, leftOut, isLocal },
    filter: await openSourceFilter(options),
    entryFilter: await openSourceFilter({ ...options, ownPaths: [] }),
    fileStats: createFileStats(
      root,
      () => isLocal,
      () => now().monotonicMs,
    ),
    patienceMs: patienceMsOf({ settleMs: options.settle, minAgeMs: minAge }),
  };
  let unsettled = (): number => 0;

  function begin(signal: AbortSignal): Pass {
    const pass = openPass(base, signal);
    unsettled = pass.settle.size;
    return pass;
  }

  return {
    unsettled: () => unsettled(),
    async discover(inputs, signal) {
      const pass = begin(signal);
      const deps = depsOf(pass);
      await rootFolder.assert();
      for (const input of inputs) {
        if (input.kind === 'folder') await discoverFolder(input.path, deps);
        else if (input.kind === 'list') await discoverList(input, deps);
        else await discoverArchive(input, { ...deps, filter: base.entryFilter });
      }
      await waitFor(pass, () => false);
      await rootFolder.assert();
    },
    async lookAgain(names, signal) {
      const pass = begin(signal);
      await rootFolder.assert();
      for (const look of await base.fileStats.at(names))
        if (look.kind === 'file') await see(pass, [look.file]);
      await waitFor(pass, () => false);
      await rootFolder.assert();
    },
  };
}

/** What all passes over the inputs share. */
interface Base extends Pick<DiscoveryDeps, 'filter' | 'fileStats' | 'sink' | 'tally' | 'leftOut'> {
  readonly options: BatchDiscoveryOptions;
  /** Slipway's own files lie in folders: what is named like them in an archive is the user's. */
  readonly entryFilter: Filter;
  readonly isLocal: boolean;
  /** Files still being written when none has become whole for so long belong to the next batch. */
  readonly patienceMs: number;
}

/** One pass: the files that it has seen and that are not whole yet. */
interface Pass extends Base {
  readonly settle: Settle;
  readonly signal: AbortSignal;
  /** What it waits for has been said. */
  saidToWait: boolean;
}

function openPass(base: Base, signal: AbortSignal): Pass {
  const { options, isLocal } = base;
  const settle = createSettle({
    settleMs: options.settle,
    minAgeMs: options.minAge,
    trustTimes: () => isLocal,
    maxTracked: options.maxTracked ?? MAX_TRACKED,
  });
  return { ...base, settle, signal, saidToWait: false };
}

function depsOf(pass: Pass): DiscoveryDeps {
  const { options, fileStats, filter, sink, tally, leftOut, signal } = pass;
  return { ...options, fileStats, filter, sink, tally, leftOut, signal, see: (files) => see(pass, files) };
}

async function see(pass: Pass, files: readonly SeenFile[]): Promise<void> {
  const { settle, options } = pass;
  await take(pass, files);
  const nowMs = options.now().monotonicMs;
  while ((settle.nextDueMs() ?? Number.POSITIVE_INFINITY) <= nowMs) await takeDue(pass, nowMs);
  await waitFor(pass, settle.hasRoom);
}

/** Whole ones go on. True when there were any. */
async function take(
  { options, settle, sink, tally, signal }: Pass,
  files: readonly SeenFile[],
): Promise<boolean> {
  const { root, rootFolder, now } = options;
  if (files.length > 0) rootFolder.holdsFiles();
  const settled = files.flatMap((file): SettledFile[] => {
    const sight = settle.see(file, now());
    return sight === null ? [] : [{ ...file, sight }];
  });
  const whole = await withoutOwnFiles(root, settled);
  for (const { size } of whole) tally.bytes += size;
  tally.files += whole.length;
  if (whole.length > 0) await sink.files(whole, signal);
  signal.throwIfAborted();
  return settled.length > 0;
}

/** Looks again at some of the files due by `byMs`. */
async function takeDue(pass: Pass, byMs: number): Promise<boolean> {
  const { settle, fileStats, leftOut } = pass;
  const names = settle.due(byMs, DUE_PER_STEP);
  const files: SeenFile[] = [];
  for (const [index, look] of (await fileStats.at(names)).entries()) {
    const name = names[index];
    if (look.kind === 'file') files.push(look.file);
    else if (name !== undefined) {
      settle.forget(name);
      if (look.kind === 'unobservable') leftOut.add(name, 'unreadable', true, whyUnreadable(look.error));
    }
  }
  return await take(pass, files);
}

/** Until `isEnough`, or until no file is due and none has become whole for the whole patience. */
async function waitFor(pass: Pass, isEnough: () => boolean): Promise<void> {
  const { settle, options, patienceMs, signal } = pass;
  const monotonicMs = (): number => options.now().monotonicMs;
  let endMs = monotonicMs() + patienceMs;
  for (let dueMs = settle.nextDueMs(); dueMs !== null && !isEnough(); dueMs = settle.nextDueMs()) {
    const nowMs = monotonicMs();
    const byMs = Math.min(nowMs, endMs);
    if (dueMs <= byMs) {
      // The sink may have held this up for long: the patience begins only when it returns.
      if (await takeDue(pass, byMs)) endMs = monotonicMs() + patienceMs;
    } else if (nowMs < endMs) {
      sayToWait(pass, dueMs - nowMs);
      await sleep(Math.min(dueMs, endMs) - nowMs, undefined, { signal });
    } else return giveUp(pass);
  }
}

/** Nobody would guess what a batch waits for that long. */
function sayToWait(pass: Pass, waitMs: number): void {
  const { source, settle, minAge, log } = pass.options;
  if (pass.saidToWait || waitMs <= settle) return;
  pass.saidToWait = true;
  const said = { source, files: pass.settle.size(), minAgeMs: minAge };
  log.info(said, 'files are younger than minAge: waiting until they are old enough');
}

function giveUp({ settle, leftOut }: Pass): void {
  for (const name of settle.due(Number.POSITIVE_INFINITY, settle.size())) {
    leftOut.add(name, 'unsettled', true);
    settle.forget(name);
  }
}

async function discoverFolder(path: string, means: DiscoveryDeps): Promise<void> {
  const { root, fileStats, filter, leftOut, see, signal } = means;
  const report: RescanReport = {
    ignored: (name, reason) => leftOut.add(name, reason, false),
    unobservable: (name, error) => leftOut.add(name, 'unreadable', true, whyUnreadable(error)),
  };
  const walk = {
    root,
    fileStats,
    filter,
    start: { path },
    descend: () => true,
    entering() {},
    signal,
    report,
  };
  for await (const files of rescan(walk)) await see(files);
  signal.throwIfAborted();
}
