import { realpath } from 'node:fs/promises';
import { emptyTally } from '../../domain/batch-progress.ts';
import { reasonOf } from '../../domain/errors.ts';
import { fileVersionId } from '../../domain/file-version.ts';
import { type Log, silentLog } from '../../domain/log.ts';
import { openBatchDiscovery } from '../../intake/batch/batch-discovery.ts';
import type { BatchSink } from '../../intake/batch/batch-sink.ts';
import { createLeftOutNames } from '../../intake/batch/left-out-names.ts';
import type { Ledger } from '../../ledger/ledger-port.ts';
import { recordedNames } from '../../ledger/store/source-names.ts';
import { readSourceLedger } from '../../ledger/store/source-store.ts';
import { keptRootOf } from '../../ledger/tables/root-memory.ts';
import { folderIdentityOf } from '../../platform/files/folder-identity.ts';
import type { SourcePlan } from '../../runtime/plans/source-plan.ts';

/** How many files of a source another name knows. */
export interface KnownElsewhere {
  /** The other name: of several the one that knows most. */
  readonly was: string;
  /** All that lie in the folder now. */
  readonly files: number;
  /** Of them, those that are recorded for the same destination under the other name and not under this one. */
  readonly known: number;
}

/**
 * Whether the files of a source are recorded under another name for the same folder and destination. The folder is looked
 * through only where another name has held it.
 * @returns null: none has
 */
export async function knownElsewhere(
  plan: SourcePlan,
  facts: { readonly ownPaths: readonly string[]; readonly dataDir: string; readonly log: Log },
): Promise<KnownElsewhere | null> {
  const others = await sameFolder(plan, facts);
  if (others.length === 0) return null;
  const own = readSourceLedger(facts.dataDir, plan.name);
  try {
    return await counted(plan, { own, others, ownPaths: facts.ownPaths });
  } finally {
    await own?.close();
    for (const { ledger } of others) await ledger.close();
  }
}

interface Other {
  readonly name: string;
  readonly ledger: Ledger;
}

async function sameFolder(
  { name: own, root }: SourcePlan,
  { dataDir, log }: { readonly dataDir: string; readonly log: Log },
): Promise<Other[]> {
  const identity = await folderIdentityOf(root);
  const path = await realpath(root).catch(() => root);
  const others: Other[] = [];
  for (const name of await recordedNames(dataDir)) {
    if (name === own) continue;
    const ledger = openReadable(dataDir, name, log);
    if (ledger === null) continue;
    const held = keptRootOf(ledger);
    // Moved or replaced: the same folder at another path, and another folder at the same path, count both.
    const isSame =
      held !== null &&
      (held.identity === identity || (await realpath(held.path).catch(() => held.path)) === path);
    if (isSame) others.push({ name, ledger });
    else await ledger.close();
  }
  return others;
}

function openReadable(dataDir: string, source: string, log: Log): Ledger | null {
  try {
    return readSourceLedger(dataDir, source);
  } catch (error) {
    log.debug({ source, reason: reasonOf(error) }, 'the records of another source cannot be read');
    return null;
  }
}

async function counted(
  plan: SourcePlan,
  books: {
    readonly own: Ledger | null;
    readonly others: readonly Other[];
    readonly ownPaths: readonly string[];
  },
): Promise<KnownElsewhere> {
  const { destination } = plan;
  const known = new Map<string, number>();
  let count = 0;
  const sink: BatchSink = {
    async files(found) {
      for (const { name, size, mtimeNs } of found) {
        count += 1;
        const idFor = (source: string): string =>
          fileVersionId({ source, destination, ...name, size, mtimeNs });
        if (books.own !== null && books.own.find(idFor(plan.name)) !== null) continue;
        for (const { name: source, ledger } of books.others)
          if (ledger.find(idFor(source)) !== null) known.set(source, (known.get(source) ?? 0) + 1);
      }
    },
    // Archives are files here.
    async entry() {},
    async refused() {},
  };
  const now = () => ({ wallMs: Date.now(), monotonicMs: performance.now() });
  const rootFolder = { assert: async () => {}, isPresent: async () => true, holdsFiles() {} };
  const tally = emptyTally();
  const discovery = await openBatchDiscovery(
    {
      ...{ ...plan, settle: 0, minAge: 0, source: plan.name, ownPaths: books.ownPaths },
      ...{ now, log: silentLog, rootFolder },
    },
    sink,
    { tally, leftOut: createLeftOutNames(tally, plan.name, silentLog) },
  );
  await discovery.discover([{ kind: 'folder', path: '' }], new AbortController().signal);
  const [most] = [...known].toSorted(([, a], [, b]) => b - a);
  return { was: most?.[0] ?? '', files: count, known: most?.[1] ?? 0 };
}
