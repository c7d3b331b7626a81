import { hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { checkedMeta, type FileMeta } from '../../domain/file-meta.ts';
import { type PathName, pathNameOf } from '../../domain/path-bytes.ts';
import { pathKey } from '../ledger-codec.ts';
import type { Ledger } from '../ledger-port.ts';

/** What a list (`--meta-from`) attaches to the files of one source, in its ledger: a list may be as long as the folder. */
export interface MetaList {
  /**
   * Takes over a list, in place of the one before.
   * @param file JSON Lines, `{"path":…,"meta":{…}}` each; null: there is none now
   * @param root absolute path of the source's root: paths are below it, or absolute
   * @throws SlipwayError `usage` naming the lines that cannot be used
   */
  load(file: string | null, root: string): Promise<void>;
  find(name: PathName): FileMeta | null;
}

interface ListedMeta {
  readonly name: PathName;
  readonly meta: FileMeta;
}

const PER_COMMIT = 2_000;
const SCOPE_BYTES = 8;
/** So many bad lines are named; the rest is counted. */
const MAX_NAMED = 5;

/**
 * @param scope whose list it is: a batch, or '' for what is watched
 * @throws when the ledger is open for reading only
 */
export function openMetaList(ledger: Ledger, scope: string): MetaList {
  const table = tableOf(ledger);
  const prefix = hash('sha256', scope, 'buffer').subarray(0, SCOPE_BYTES);
  const range = { start: prefix, end: Buffer.concat([prefix, Buffer.alloc(32, 0xff)]) };
  const keyOf = (name: PathName): Buffer => Buffer.concat([prefix, pathKey(name)]);
  const isThere = (): boolean => table.getKeysCount({ ...range, limit: 1 }) > 0;
  let any = isThere();

  async function clear(): Promise<void> {
    for (;;) {
      const keys = [...table.getKeys({ ...range, limit: PER_COMMIT })].map((key) => Buffer.from(key));
      if (keys.length === 0) return;
      ledger.transact(() => {
        for (const key of keys) table.removeSync(key);
      });
      await nextTurn();
    }
  }

  return {
    async load(file, root) {
      await clear();
      any = false;
      if (file === null) return;
      let some: ListedMeta[] = [];
      const store = (): void => {
        ledger.transact(() => {
          for (const { name, meta } of some) table.putSync(keyOf(name), meta);
        });
        some = [];
      };
      for await (const listed of listedIn(file, root)) {
        some.push(listed);
        if (some.length === PER_COMMIT) store();
      }
      store();
      any = isThere();
    },
    find: (name) => (any ? (table.get(keyOf(name)) ?? null) : null),
  };
}

/**
 * Looks through a list before anything is started for it.
 * @throws SlipwayError `usage` naming the lines that cannot be used
 */
export async function checkMetaList(file: string, root: string): Promise<void> {
  for await (const _listed of listedIn(file, root));
}

/** Every line, however many of them are bad: all are named at once, at the end. */
async function* listedIn(file: string, root: string): AsyncGenerator<ListedMeta> {
  const problems: string[] = [];
  let bad = 0;
  let number = 0;
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      number += 1;
      if (line.trim() === '') continue;
      const listed = listedOf(line, root);
      if (typeof listed !== 'string') yield listed;
      else if (++bad <= MAX_NAMED) problems.push(`line ${number} ${listed}`);
    }
  } catch (error) {
    throw new SlipwayError('usage', { problem: `cannot read ${file}: ${reasonOf(error)}` });
  }
  if (bad === 0) return;
  const more = bad > MAX_NAMED ? `; and ${bad - MAX_NAMED} more` : '';
  throw new SlipwayError('usage', {
    problem: `${file}: ${problems.join('; ')}${more}: correct them, one {"path":"a.pdf","meta":{"order":"4711"}} a line`,
  });
}

/** @returns a text: what is wrong with the line */
function listedOf(line: string, root: string): ListedMeta | string {
  let value: { path?: unknown; pathBytes?: unknown; meta?: unknown } | null;
  try {
    value = JSON.parse(line) as typeof value;
  } catch {
    return 'is not JSON';
  }
  if (typeof value !== 'object' || value === null) return 'is not a JSON object';
  const { path, pathBytes, meta } = value;
  if (typeof path !== 'string' || path === '') return 'has no path';
  const checked = checkedMeta(meta);
  if (checked.kind === 'bad') return `meta: ${checked.problem}`;
  if (typeof pathBytes === 'string')
    return { name: pathNameOf(Buffer.from(pathBytes, 'base64')), meta: checked.meta };
  const below = path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path.replace(/^(\.\/+)+/, '');
  if (below.startsWith('/')) return `names ${JSON.stringify(path)}, which is not below ${root}`;
  return { name: { path: below }, meta: checked.meta };
}

function tableOf(ledger: Ledger) {
  const table = ledger.table<FileMeta, Uint8Array>('meta-list');
  if (table === null) throw new Error('the ledger is open for reading only');
  return table;
}
