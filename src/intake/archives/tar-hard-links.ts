import { bytesOf, type PathName } from '../../domain/path-bytes.ts';
import type { FileEntry, RefusedEntry } from './archive-entry.ts';
import { judgeEntryName } from './entry-name.ts';

/** Hard links of a tar, until the files they link to come by once more. */
export interface HardLinks {
  /** A link, as an entry without bytes. */
  add(link: FileEntry, target: PathName): void;
  waiting(): number;
  /**
   * The links to this file as entries that hold its bytes. Bytes come once: of a large file, those links that are read
   * no more wait for the next time it comes by.
   */
  of(target: FileEntry): AsyncGenerator<FileEntry>;
  /** What links to nothing that can be read; none waits afterwards. */
  dangling(): Generator<RefusedEntry>;
}

/** Up to here a file is kept in memory for all links to it. */
const SMALL_BYTES = 1024 * 1024;

interface Waiting {
  readonly link: FileEntry;
  readonly target: PathName;
}

/** None waiting. */
export function createHardLinks(): HardLinks {
  /** By the name of the file. */
  const waiting = new Map<string, Waiting[]>();
  /** Links by their names: one may lead to another. */
  const targets = new Map<string, string>();
  let count = 0;

  function take(key: string): Waiting[] {
    const taken = waiting.get(key) ?? [];
    waiting.delete(key);
    count -= taken.length;
    return taken;
  }

  function putBack(key: string, rest: Waiting[]): void {
    if (rest.length === 0) return;
    waiting.set(key, rest);
    count += rest.length;
  }

  return {
    add(link, target) {
      const named = keyOf(target);
      const key = targets.get(named) ?? named;
      targets.set(keyOf(link.name), key);
      const others = waiting.get(key);
      if (others === undefined) waiting.set(key, [{ link, target }]);
      else others.push({ link, target });
      count += 1;
    },

    waiting: () => count,

    async *of(file) {
      const key = keyOf(file.name);
      const links = take(key);
      const { size } = file;
      let bytes = size <= SMALL_BYTES && links.length > 1 ? await whole(file) : null;
      for (const [index, { link }] of links.entries()) {
        let isRead = false;
        const open = async (): Promise<AsyncIterable<Buffer>> => {
          isRead = true;
          return bytes === null ? await file.open() : once(bytes);
        };
        yield { ...link, size, open };
        if (isRead && bytes === null) return putBack(key, links.slice(index + 1));
      }
      bytes = null;
    },

    *dangling() {
      for (const links of [...waiting.values()])
        for (const { link, target } of links) {
          const why = `it is a hard link to ${target.path}, which is no file of this archive that can be read`;
          const { name, mtimeNs } = link;
          yield {
            ...{ kind: 'refused', name, mtimeNs, size: 0 },
            refusal: { code: 'archive_entry_refused', details: { why } },
          };
        }
      waiting.clear();
      count = 0;
    },
  };
}

async function whole(file: FileEntry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await file.open()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** As entries are named: links and files may write the same path in two ways. */
function keyOf(name: PathName): string {
  const verdict = judgeEntryName(name);
  return bytesOf(verdict.kind === 'file' ? verdict.name : name).toString('latin1');
}
