import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { syncedFolder } from '../../ledger/journal/synced-folder.ts';
import { type AcceptedFile, settleAccepted } from '../../ledger/tables/accepted-files.ts';
import { acceptedFolder } from '../../runtime/owner/received-failures.ts';
import type { ByteBudget } from './byte-budget.ts';
import { createGroupCommit } from './group-commit.ts';
import type { ReceivedFile } from './incoming-file.ts';
import type { ReceivedBook } from './received-book.ts';

export type { AcceptedFile } from '../../ledger/tables/accepted-files.ts';

/** What is known of a file besides its bytes. */
export type AcceptedFacts = Omit<AcceptedFile, 'size' | 'mtimeNs' | 'sha256' | 'gen'>;

/** Takes files in to be sent later. */
export interface Acceptance {
  /**
   * Resolves when the file and what is to be done with it are durable: from then on it survives anything.
   * @param alongside written in the same transaction
   * @throws SlipwayError `spool_full`, `disk_full`, `data_dir`, `ledger_unwritable`; nothing is left then
   */
  accept(file: ReceivedFile, facts: AcceptedFacts, alongside?: () => void): Promise<AcceptedFile>;
  /** Told of each that is durable. */
  onAccepted(listener: () => void): void;
  /** These are given up: their bytes go. */
  forget(ids: readonly string[]): Promise<void>;
}

const PER_LOOK = 1_000;

/**
 * Opens the place where accepted files lie. What lies there and nobody was told of, or needs no more, is removed.
 * @throws SlipwayError `data_dir`
 */
export async function openAcceptance(
  dataDir: string,
  book: ReceivedBook,
  disk: ByteBudget,
): Promise<Acceptance> {
  const folder = acceptedFolder(dataDir);
  const { accepted } = book;
  const { ledger } = book.owned.store;
  const listeners = new Set<() => void>();
  let settled: AcceptedFile[] = [];
  settleAccepted(ledger, accepted, (file) => void settled.push(file));
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder))
      if (accepted.find(name) === null) await rm(join(folder, name), { recursive: true, force: true });
  } catch (error) {
    throw new SlipwayError('data_dir', { path: folder, reason: reasonOf(error) }, { cause: error });
  }
  disk.holds(bytesIn(book));

  const group = createGroupCommit<{ readonly file: AcceptedFile; readonly alongside: () => void }>(
    async (items) => {
      await syncedFolder(folder);
      ledger.transact(() => {
        for (const { file, alongside } of items) {
          accepted.put(file);
          alongside();
        }
      });
    },
  );

  async function drop(files: readonly Pick<AcceptedFile, 'id' | 'size'>[]): Promise<void> {
    for (const { id, size } of files) {
      await rm(join(folder, id), { force: true }).catch(() => undefined);
      disk.giveBack(size);
    }
  }

  book.onRecorded(() => {
    const sent = settled;
    settled = [];
    void drop(sent);
  });

  return {
    async accept(file, facts, alongside = () => undefined) {
      const { mtimeNs } = await file.keepAt(join(folder, facts.id));
      const { bytes: size, sha256 } = file;
      const kept = { ...facts, size, mtimeNs, sha256, gen: 0 };
      try {
        await group.add({ file: kept, alongside });
      } catch (error) {
        await drop([kept]);
        throw error;
      }
      for (const listener of listeners) listener();
      return kept;
    },
    onAccepted: (listener) => void listeners.add(listener),
    async forget(ids) {
      const files = ids.flatMap((id) => accepted.find(id) ?? []);
      ledger.transact(() => {
        for (const { id } of files) accepted.remove(id);
      });
      await drop(files);
    },
  };
}

function bytesIn({ accepted }: ReceivedBook): number {
  let bytes = 0;
  for (let page = accepted.after(null, PER_LOOK); page.length > 0; ) {
    for (const { file } of page) bytes += file.size;
    page = accepted.after(page.at(-1)?.place ?? null, PER_LOOK);
  }
  return bytes;
}
