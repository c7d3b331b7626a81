import { type FileMeta, type GivenMeta, mergedMeta } from '../../domain/file-meta.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { Outcome } from '../../domain/receipt.ts';
import type { OpenBatchAttachments } from '../../intake/batch/ports.ts';
import type { AdmissionPorts, AdmittedJob } from '../../intake/ports.ts';
import { META_SUFFIX, readMetaSidecar } from '../../intake/scan/meta-sidecar.ts';
import { readPlace } from '../../ledger/journal/journal-reader.ts';
import { decodeReceipt } from '../../ledger/journal/receipt-codec.ts';
import type { SourceStore } from '../../ledger/store/source-store.ts';
import { openKeptMeta } from '../../ledger/tables/kept-meta.ts';
import { type MetaList, openMetaList } from '../../ledger/tables/meta-list.ts';
import type { SourcePlan } from '../plans/source-plan.ts';

export { checkMetaList } from '../../ledger/tables/meta-list.ts';

/** Metadata on its way from where it is said to the receipt. It never goes through Redis. */
export interface Attachments {
  /** For admission; undefined where nothing is attached to any file. */
  readonly attached: AdmissionPorts['attached'];
  /**
   * The same for the files of one batch, which may have more attached to them.
   * @throws SlipwayError `usage` for a list with bad lines
   */
  readonly ofBatch: OpenBatchAttachments;
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
export async function openAttachments(options: {
  readonly plan: SourcePlan;
  readonly store: SourceStore;
  readonly given: GivenMeta | undefined;
  readonly log: Log;
}): Promise<Attachments> {
  const { plan, store, given, log } = options;
  const { ledger, journal } = store;
  const kept = openKeptMeta(ledger);
  const own = { all: given?.all ?? null, list: await loaded('', given) };
  const beside = plan.meta?.sidecar === true;
  const told = new Set<string>();

  /** null: there is none. */
  async function loaded(scope: string, said: GivenMeta | undefined): Promise<MetaList | null> {
    const list = openMetaList(ledger, scope);
    await list.load(said?.list ?? null, plan.root);
    return said?.list == null ? null : list;
  }

  async function besideOf(name: PathName): Promise<FileMeta | null> {
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

  /** @returns undefined: nothing is attached to any file */
  function attachedBy(sayings: readonly { all: FileMeta | null; list: MetaList | null }[]) {
    if (!beside && sayings.every(({ all, list }) => all === null && list === null)) return undefined;
    return async (names: readonly PathName[]): Promise<(FileMeta | null)[]> => {
      const besides = beside ? await Promise.all(names.map(besideOf)) : [];
      return names.map((name, index) => {
        const listed = sayings.map(({ list }) => list?.find(name));
        return mergedMeta([...sayings.map(({ all }) => all), ...listed, besides[index]]);
      });
    };
  }

  /** A file that goes once more keeps what was attached to it, unless something else is by now. */
  async function before({ id, job, meta }: AdmittedJob): Promise<FileMeta | null> {
    if (meta != null) return meta;
    const recorded = job.gen === 0 ? null : ledger.find(id);
    const line = recorded === null ? null : await readPlace(journal.path, recorded).catch(() => null);
    return (line === null ? null : decodeReceipt(line.toString('utf8'))?.meta) ?? null;
  }

  return {
    attached: attachedBy([own]),
    async ofBatch(batch, said) {
      const list = await loaded(batch, said);
      return {
        attached: attachedBy([own, { all: said?.all ?? null, list }]),
        forget: async () => await list?.load(null, plan.root),
      };
    },
    async keep(jobs) {
      const concerned = jobs.filter(({ job, meta }) => meta != null || job.gen > 0);
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
