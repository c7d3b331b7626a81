import { SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { openRecordReader } from '../record/record-reader.ts';
import { ownerOf } from '../record/source-lock.ts';
import { leaveWish } from '../record/wishes.ts';
import { type KnownSource, placeOf } from './known-sources.ts';
import { findFiles, type NamedFile } from './named-file.ts';

/**
 * What came of the wish to send something again.
 * - `asked`: it is durable in the data folder; `owner` is the process that takes it up, null: the next one to start
 * - `needless`: what lies there now is not the version that is recorded, and is sent by itself
 * - `refused`: it cannot be sent again; `reason` says why and what would help
 */
export type ResendAnswer =
  | {
      readonly kind: 'asked';
      readonly source: string;
      readonly path: string | null;
      readonly owner: number | null;
    }
  | {
      readonly kind: 'refused' | 'needless';
      readonly source: string | null;
      readonly path: string | null;
      readonly reason: string;
    };

type Hindered = Exclude<ResendAnswer, { kind: 'asked' }>;

interface ResendOptions {
  readonly sources: readonly KnownSource[];
  /** Only to the destination it went to; another one needs another way. */
  readonly to: string | undefined;
  readonly dataDir: string;
  readonly log: Log;
}

/**
 * Asks for one file to be sent again, as its next generation. The wish is a file in the data folder until the owner has
 * it in the ledger: nothing is lost whoever dies, and no Redis is needed.
 * @throws SlipwayError `usage`, what opening the store throws
 */
export async function resendFile(
  options: ResendOptions & Omit<Parameters<typeof findFiles>[0], 'history'>,
): Promise<ResendAnswer[]> {
  const { path, dataDir, to } = options;
  const files = await findFiles({ ...options, history: false });
  if (files.length === 0) {
    return [
      {
        kind: 'refused',
        source: null,
        path,
        reason: 'no source knows it, and it lies in no source’s folder',
      },
    ];
  }
  const answers: ResendAnswer[] = [];
  for (const file of files) {
    const { source, name, mark } = file;
    refuseElsewhere(source, to, name.path);
    const against = hindrance(file);
    if (against !== null) answers.push({ ...against, source: source.name, path: name.path });
    else {
      await leaveWish(dataDir, source.name, { v: 1, name, mark });
      answers.push({
        kind: 'asked',
        source: source.name,
        path: name.path,
        owner: ownerOf(dataDir, source.name),
      });
    }
  }
  return answers;
}

/** Asks for the latest version of every file of these sources; those that are gone by now are simply not found. */
export async function resendSources(options: ResendOptions): Promise<ResendAnswer[]> {
  const { sources, dataDir, to, log } = options;
  const answers: ResendAnswer[] = [];
  for (const source of sources) {
    refuseElsewhere(source, to, null);
    const reader = await openRecordReader(placeOf(source, dataDir, log));
    const mark = reader?.mark ?? 0;
    await reader?.close();
    if (mark === 0) {
      const reason = 'nothing is recorded of it yet';
      answers.push({ kind: 'refused', source: source.name, path: null, reason });
      continue;
    }
    await leaveWish(dataDir, source.name, { v: 1, name: null, mark });
    answers.push({ kind: 'asked', source: source.name, path: null, owner: ownerOf(dataDir, source.name) });
  }
  return answers;
}

/** null: it can be sent again, and would not be otherwise. */
function hindrance({ disk, latest }: NamedFile): Pick<Hindered, 'kind' | 'reason'> | null {
  if (disk.kind === 'root-gone') return refused('the folder of its source is not there: mount it again');
  if (disk.kind === 'gone') return refused('it is not on disk any more: put the file back first');
  if (disk.kind === 'ignored') return refused(`it is ignored: ${disk.rule}`);
  if (disk.kind !== 'file') return refused('it is not a file that can be read');
  if (latest === null)
    return { kind: 'needless', reason: 'nothing is recorded of it yet: it is sent by itself' };
  const { size, mtimeNs } = disk.file;
  if (latest.bytes === size && latest.mtimeNs === mtimeNs) return null;
  return { kind: 'needless', reason: 'it has changed since: the new version is sent by itself' };
}

function refused(reason: string): Pick<Hindered, 'kind' | 'reason'> {
  return { kind: 'refused', reason };
}

/** A file goes where its source goes: the destination is part of what a version is. */
function refuseElsewhere({ name, plan }: KnownSource, to: string | undefined, path: string | null): void {
  if (to === undefined || to === plan.destination) return;
  const way =
    path === null ? `slipway run ${plan.root} --to ${to}` : `slipway upload ${plan.root}/${path} --to ${to}`;
  const now = plan.destination === '' ? '' : ` to ${plan.destination}`;
  throw new SlipwayError('usage', {
    problem: `files of source ${name} go${now}: to send to ${to} as well use ${way}, or change the source's destination`,
  });
}
