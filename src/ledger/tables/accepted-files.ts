import { type FileVersion, fileVersionId } from '../../domain/file-version.ts';
import { GATEWAY_SOURCE, receivedIdIn } from '../../domain/received-source.ts';
import type { Ledger } from '../ledger-port.ts';

/** A file that came in by HTTP to be sent later: its bytes are ours to keep until it has been. */
export interface AcceptedFile {
  /** The door's own, `file-…`; the name its bytes lie under as well. */
  readonly id: string;
  /** The caller's name of it. */
  readonly name: string;
  readonly destination: string;
  /** Text fields of its upload, besides the destination's own. */
  readonly fields: Readonly<Record<string, string>>;
  /** Of the file part; null: by its extension. */
  readonly contentType: string | null;
  /** Bytes. */
  readonly size: number;
  readonly mtimeNs: string;
  /** Hex. */
  readonly sha256: string;
  /** The generation that is to be sent: one more for every `failed retry`. */
  readonly gen: number;
  /** Milliseconds since the epoch. */
  readonly acceptedAtMs: number;
  /** What its receipt carries. */
  readonly meta: Readonly<Record<string, string>>;
}

/** A place in the order in which they came. */
export type AcceptedPlace = readonly ['at', number, string];

/** Rows looked at in one go. */
const PER_LOOK = 1_000;

/** Files that were accepted and have no success yet. What writes is for inside `ledger.transact`. */
export interface AcceptedFiles {
  find(id: string): AcceptedFile | null;
  /** In the order in which they came, from behind a place on. */
  after(place: AcceptedPlace | null, limit: number): { file: AcceptedFile; place: AcceptedPlace }[];
  put(file: AcceptedFile): void;
  remove(id: string): void;
}

export function openAcceptedFiles(ledger: Ledger): AcceptedFiles {
  const table = ledger.table<unknown, (string | number)[]>('accepted');
  const find = (id: string): AcceptedFile | null =>
    (table?.get(['id', id]) as AcceptedFile | undefined) ?? null;

  function remove(id: string): void {
    const file = find(id);
    if (file === null) return;
    table?.removeSync(['id', id]);
    table?.removeSync(['at', file.acceptedAtMs, id]);
  }

  return {
    find,
    remove,
    after(place, limit) {
      const start = place === null ? ['at', 0, ''] : [...place];
      const range = {
        start,
        end: ['at', Number.MAX_SAFE_INTEGER, ''],
        exclusiveStart: place !== null,
        limit,
      };
      return [...(table?.getRange(range) ?? [])].flatMap(({ key }) => {
        const [, atMs, id] = key as ['at', number, string];
        const file = find(id);
        return file === null ? [] : [{ file, place: ['at', atMs, id] as const }];
      });
    },
    put(file) {
      table?.putSync(['id', file.id], file);
      table?.putSync(['at', file.acceptedAtMs, file.id], 1);
    },
  };
}

/** As a version of a file, which its receipt and its job are of. */
export function acceptedVersion({ id, name, destination, size, mtimeNs }: AcceptedFile): FileVersion {
  return { source: GATEWAY_SOURCE, destination, path: `${id}/${name}`, size, mtimeNs };
}

/**
 * From now on every commit takes out what has been sent, or needs not be; what has failed stays. Besides, what a commit
 * without this has left in is taken out at once.
 * @param onSettled told of each whose bytes are needed no more, within the commit
 */
export function settleAccepted(
  ledger: Ledger,
  accepted: AcceptedFiles,
  onSettled: (file: AcceptedFile) => void,
): void {
  ledger.alongside(({ name, status, gen }) => {
    const id = status === 'failed' ? null : receivedIdIn(name.path);
    const file = id === null ? null : accepted.find(id);
    if (file === null || file.gen > gen) return;
    accepted.remove(file.id);
    onSettled(file);
  });
  for (let page = accepted.after(null, PER_LOOK); page.length > 0; ) {
    const over = page.filter(({ file }) => {
      const recorded = ledger.find(fileVersionId(acceptedVersion(file)));
      return recorded !== null && recorded.gen >= file.gen && recorded.status !== 'failed';
    });
    if (over.length > 0) {
      ledger.transact(() => {
        for (const { file } of over) accepted.remove(file.id);
      });
    }
    page = accepted.after(page.at(-1)?.place ?? null, PER_LOOK);
  }
}
