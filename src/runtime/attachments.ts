import { type FileMeta, mergedMeta } from '../domain/file-meta.ts';
import type { Log } from '../domain/log.ts';
import type { Outcome } from '../domain/receipt.ts';
import { META_SUFFIX, readMetaSidecar } from '../intake/meta-sidecar.ts';
import type { AdmittedJob, IntakePorts } from '../intake/ports.ts';
import type { SeenFile } from '../intake/seen-file.ts';
import { readPlace } from '../record/journal-reader.ts';
import { openKeptMeta } from '../record/kept-meta.ts';
import { openMetaList } from '../record/meta-list.ts';
import { decodeReceipt } from '../record/receipt-codec.ts';
import type { SourceStore } from '../record/source-store.ts';
import type { SourcePlan } from './source-plan.ts';

export { checkMetaList } from '../record/meta-list.ts';

/** What the command line attaches to files. */
export interface GivenMeta {
  /** `--meta`: to every file; null: nothing. */
  readonly all: FileMeta | null;
  /** `--meta-from`: path of a list; null: none. */
  readonly list: string | null;
}

/** Metadata on its way from where it is said to the receipt. It never goes through Redis. */
export interface Attachments {
  /** For admission; undefined where nothing is attached to any file. */
  readonly attached: IntakePorts['attached'];
  /** Makes what is attached to these jobs durable; to be called before they are queued. */
  keep(jobs: readonly AdmittedJob[]): Promise<void>;
  /** For the recorder. */
  finish(outcome: Outcome): Outcome;
}

/** Files whose bad metadata has been told of are remembered up to this. */
const MAX_TOLD = 1_000;

/**
 * To be opened before the recorder starts.
 * @throws SlipwayError `usage` for a list with bad lines
 */
export async function openAttachments(facts: {
  readonly plan: SourcePlan;
  readonly store: SourceStore;
  readonly given: GivenMeta | undefined;
  readonly log: Log;
}): Promise<Attachments> {
  const { plan, store, given, log } = facts;
  const { ledger, journal } = store;
  const kept = openKeptMeta(ledger);
  const list = openMetaList(ledger);
  await list.load(given?.list ?? null, plan.root);
  const all = given?.all ?? null;
  const beside = plan.meta?.sidecar === true;
  const told = new Set<string>();

  async function besideOf({ name }: SeenFile): Promise<FileMeta | null> {
    const read = await readMetaSidecar(plan.root, name);
    if (read === null) return null;
    if (read.kind === 'meta') return read.meta;
    // Once: while Redis takes no jobs the same files are asked about again and again.
    if (!told.has(name.path) && told.size < MAX_TOLD) {
      told.add(name.path);
      log.warn(
        { source: plan.name, path: `${name.path}${META_SUFFIX}`, reason: read.problem },
        `its metadata cannot be used (it ${read.problem}); the file is uploaded without it`,
      );
    }
    return null;
  }

  async function attached(files: readonly SeenFile[]): Promise<ReadonlyMap<SeenFile, FileMeta>> {
    const found = new Map<SeenFile, FileMeta>();
    const besides = beside ? await Promise.all(files.map(besideOf)) : [];
    for (const [index, file] of files.entries()) {
      const meta = mergedMeta([all, list.find(file.name), besides[index]]);
      if (meta !== null) found.set(file, meta);
    }
    return found;
  }

  /** A file that goes once more keeps what was attached to it, unless something else is by now. */
  async function before({ id, job, meta }: AdmittedJob): Promise<FileMeta | null> {
    if (meta !== undefined) return meta;
    const recorded = job.gen === 0 ? null : ledger.find(id);
    const line = recorded === null ? null : await readPlace(journal.path, recorded).catch(() => null);
    return (line === null ? null : decodeReceipt(line.toString('utf8'))?.meta) ?? null;
  }

  return {
    attached: all === null && given?.list == null && !beside ? undefined : attached,
    async keep(jobs) {
      const concerned = jobs.filter(({ job, meta }) => meta !== undefined || job.gen > 0);
      if (concerned.length === 0) return;
      const metas = await Promise.all(concerned.map(before));
      kept.keep(
        concerned.flatMap(({ id }, index) => {
          const meta = metas[index];
          return meta === null || meta === undefined ? [] : [{ id, meta }];
        }),
      );
    },
    finish: kept.finish,
  };
}
