import type { PathName } from '../../domain/path-bytes.ts';
import { openRecordReader } from '../../ledger/store/record-reader.ts';
import {
  becomeOwner,
  type DoneBy,
  type OwnerDoor,
  type OwnerRequestOptions,
  reachLiveOwner,
} from '../../runtime/owner/owner-request.ts';
import { type KnownSource, placeOf } from '../../runtime/plans/known-sources.ts';
import { findFiles, type NamedFile } from '../inspect/named-file.ts';

/**
 * What came of a request to send something again.
 * - `asked`: it is durable; `owner` is the process that sends it, null: the next one to start
 * - `needless`: what lies there now is not the version that is recorded, and is sent by itself
 * - `refused`: it cannot be sent again; `reason` says why and what would help
 */
export type ResendAnswer =
  | {
      readonly kind: 'asked';
      readonly source: string;
      readonly path: string | null;
      /** Files that are asked for. */
      readonly files: number;
      readonly owner: number | null;
    }
  | {
      readonly kind: 'refused' | 'needless';
      readonly source: string | null;
      readonly path: string | null;
      readonly reason: string;
    };

type Hindered = Exclude<ResendAnswer, { kind: 'asked' }>;

interface ResendOptions extends OwnerRequestOptions {
  readonly sources: readonly KnownSource[];
}

/** What of a source is meant: one path, else those of a batch, else all. */
interface Meant {
  readonly name: PathName | null;
  readonly batch: string | null;
  /** Only what went to this destination; null: wherever it went. */
  readonly to: string | null;
}

/**
 * Asks for one file to be sent again, as its next generation: of the live owner over Redis, on whatever host, else as
 * its owner for that moment.
 * @throws SlipwayError `redis_unreachable`, `owner_out_of_reach`, `owner_silent` (then nothing was done), `owner_refused`,
 *   what opening the store throws
 */
export async function resendFile(
  options: ResendOptions & Omit<Parameters<typeof findFiles>[0], 'history'>,
): Promise<ResendAnswer[]> {
  const { path } = options;
  const files = await findFiles({ ...options, history: false });
  if (files.length === 0) {
    const reason = 'no source knows it, and it lies in no source’s folder';
    return [{ kind: 'refused', source: null, path, reason }];
  }
  const answers: ResendAnswer[] = [];
  for (const file of files) {
    const { source, name, mark } = file;
    const live = await reachLiveOwner(source, options);
    try {
      // What an owner on another host has recorded cannot be read here.
      const against = hindrance(file, live !== null && mark === 0);
      if (against !== null) answers.push({ ...against, source: source.name, path: name.path });
      else answers.push(await asked(source, live, { name, batch: null, to: null }, options));
    } finally {
      await live?.close();
    }
  }
  return answers;
}

/**
 * Asks for the latest version of every file of these sources, or of a batch; those that are gone by now are simply not
 * found.
 */
export async function resendSources(
  options: ResendOptions & { readonly batch: string | null },
): Promise<ResendAnswer[]> {
  const { sources, dataDir, batch, log } = options;
  const answers: ResendAnswer[] = [];
  for (const source of sources) {
    const live = await reachLiveOwner(source, options);
    try {
      const reader = live === null ? await openRecordReader(placeOf(source, dataDir, log)) : null;
      const nothing = live === null && (reader?.mark ?? 0) === 0;
      await reader?.close();
      if (!nothing) answers.push(await asked(source, live, { name: null, batch, to: null }, options));
      else if (batch === null) {
        const reason = 'nothing is recorded of it yet';
        answers.push({ kind: 'refused', source: source.name, path: null, reason });
      }
    } finally {
      await live?.close();
    }
  }
  if (batch === null) return answers;
  // Whatever source it belongs to: the others know nothing of it.
  const members = answers.filter((answer) => answer.kind !== 'asked' || answer.files !== 0);
  if (members.length > 0) return members;
  const reason = `no file's latest receipt is of batch ${batch}`;
  return [{ kind: 'refused', source: null, path: null, reason }];
}

/** Durable when it resolves. */
async function asked(
  source: KnownSource,
  live: OwnerDoor | null,
  meant: Meant,
  facts: ResendOptions,
): Promise<ResendAnswer> {
  const { name } = source;
  const path = meant.name?.path ?? null;
  const door = live ?? (await becomeOwner(source, facts));
  try {
    const files = await everyPage(door, meant);
    if (files === 0 && path !== null) {
      const reason = 'nothing that could be sent again is recorded of it: what lies there is sent by itself';
      return { kind: 'needless', source: name, path, reason };
    }
    return { kind: 'asked', source: name, path, files, owner: pidOf(door.by) };
  } finally {
    if (door !== live) await door.close();
  }
}

/**
 * Asks for what an ad-hoc source of the same folder has sent to a destination before, so that its next run sends it
 * once more; what it has not sent yet goes by itself.
 * @param names of these paths only; null: of all
 */
export async function resendBefore(
  source: KnownSource,
  names: readonly PathName[] | null,
  facts: OwnerRequestOptions,
): Promise<void> {
  const to = source.plan.destination;
  const live = await reachLiveOwner(source, facts);
  if (live === null && (await markOf(source, facts)) === 0) return;
  const door = live ?? (await becomeOwner(source, facts));
  try {
    for (const name of names ?? [null]) await everyPage(door, { name, batch: null, to });
  } finally {
    await door.close();
  }
}

async function everyPage(door: OwnerDoor, meant: Meant): Promise<number> {
  let files = 0;
  let mark: number | null = null;
  for (let from: number | null = 0; from !== null; ) {
    const page: Awaited<ReturnType<typeof door.ask<'send-again'>>> = await door.ask<'send-again'>({
      kind: 'send-again',
      ...meant,
      mark,
      from,
    });
    files += page.versions;
    ({ mark, next: from } = page);
  }
  return files;
}

async function markOf(source: KnownSource, { dataDir, log }: OwnerRequestOptions): Promise<number> {
  const reader = await openRecordReader(placeOf(source, dataDir, log));
  await reader?.close();
  return reader?.mark ?? 0;
}

function pidOf(by: DoneBy): number | null {
  return by.kind === 'self' ? null : by.owner.pid;
}

/**
 * null: it can be sent again, and would not be otherwise.
 * @param unread what is recorded lies on another host: its owner knows
 */
function hindrance({ disk, latest }: NamedFile, unread: boolean): Pick<Hindered, 'kind' | 'reason'> | null {
  if (unread) return null;
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
