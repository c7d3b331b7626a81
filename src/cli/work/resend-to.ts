import { SlipwayError } from '../../domain/errors.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { resendBefore } from '../../operations/control/resend.ts';
import { findFiles } from '../../operations/inspect/named-file.ts';
import { exportReceipts } from '../../operations/inspect/receipt-export.ts';
import { globOfPath } from '../../platform/files/glob.ts';
import type { KnownSource } from '../../runtime/plans/known-sources.ts';
import { ownPathsOf, sourcePlans } from '../../runtime/plans/source-plans.ts';
import { type ExitCode, worstExit } from '../exit-codes.ts';
import type { Session } from '../session.ts';
import { type RunFlags, runSources } from './run-sources.ts';

/** What a command line means: files of one source, or (null) all of them. */
interface Meant {
  readonly source: KnownSource;
  readonly names: readonly PathName[] | null;
}

/** What `resend` was told. */
export interface ResendWords {
  readonly path: string | undefined;
  readonly batch: string | undefined;
}

/** Each file is a pattern that every other file is compared with. */
const MAX_NAMED = 1_000;

/**
 * Sends files to the destination named. Where their source goes there anyway that is `here`'s business. Else, since the
 * destination is part of what a version is, it is `run FOLDER --to DESTINATION --once` for these files alone: the ad-hoc
 * source of that folder, with a ledger and a manifest of its own, in which what has gone there before is asked for once
 * more.
 */
export async function resendTo(
  to: string,
  words: ResendWords,
  options: {
    readonly sources: readonly KnownSource[];
    readonly session: Session;
    readonly flags: RunFlags;
    readonly here: (sources: readonly KnownSource[]) => Promise<ExitCode>;
  },
): Promise<ExitCode> {
  const { session, sources } = options;
  const all = await meant(words, sources, session);
  if (all.length === 0) {
    const problem = `nothing of it is known here: to send files to ${to} use slipway run FOLDER --to ${to}, or slipway upload FILE --to ${to}`;
    throw new SlipwayError('usage', { problem });
  }
  const codes: ExitCode[] = [];
  const here = all.filter(({ source }) => source.plan.destination === to);
  if (here.length > 0) codes.push(await options.here(here.map(({ source }) => source)));
  const there = all.filter((one) => !here.some((other) => isSameFolder(one, other)));
  for (const one of there.filter(
    (each, index) => there.findIndex((other) => isSameFolder(each, other)) === index,
  ))
    codes.push(await runThere(to, one, session, options.flags));
  return worstExit(codes);
}

/** The ad-hoc source of a folder is known beside its configured one, and means the same files. */
function isSameFolder(a: Meant, b: Meant): boolean {
  return a.source.plan.root === b.source.plan.root;
}

async function runThere(
  to: string,
  { source, names }: Meant,
  session: Session,
  flags: RunFlags,
): Promise<ExitCode> {
  const { dataDir, redis } = session.config;
  const { root, include: all, ignore, hidden } = source.plan;
  const include = names === null ? all : names.map(({ path }) => globOfPath(path));
  for (const plan of (await sourcePlans([root], to, session)).plans)
    await resendBefore({ name: plan.name, plan }, names, { dataDir, redis, log: session.log });
  return await runSources([root], { ...flags, to, once: true }, ['intake', 'worker'], (plan) => ({
    ...plan,
    ...{ include, ignore, hidden },
  }));
}

async function meant(
  { path, batch }: ResendWords,
  sources: readonly KnownSource[],
  session: Session,
): Promise<Meant[]> {
  const { config, log } = session;
  const { dataDir } = config;
  if (path !== undefined) {
    const plans = sources.map(({ plan }) => plan);
    const files = await findFiles({
      ...{ path, sources, dataDir, log, history: false },
      ...{ ownPaths: ownPathsOf(session, plans), cwd: process.cwd(), nowMs: Date.now() },
    });
    return files
      .filter(({ disk }) => disk.kind === 'file')
      .map(({ source, name }) => ({ source, names: [name] }));
  }
  if (batch === undefined) return sources.map((source) => ({ source, names: null }));
  const found: Meant[] = [];
  for (const source of sources) {
    const names: PathName[] = [];
    const filter = { statuses: [], sinceMs: null, batch };
    for await (const receipts of exportReceipts({ sources: [source], dataDir, all: false, filter, log })) {
      names.push(...receipts);
      if (names.length <= MAX_NAMED) continue;
      const problem = `batch ${batch} has more than ${MAX_NAMED} files: to send all of ${source.plan.root} there use slipway run ${source.plan.root} --to DESTINATION --once`;
      throw new SlipwayError('usage', { problem });
    }
    if (names.length > 0) found.push({ source, names });
  }
  return found;
}
