import { appendFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { AfterActions } from '../../src/domain/after-action.ts';
import { fileVersionId } from '../../src/domain/file-version.ts';
import { type PathName, pathOnDisk } from '../../src/domain/path-bytes.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import { jobIdOf } from '../../src/domain/upload-job.ts';
import { intentsFor } from '../../src/ledger/intent.ts';
import { encodeReceipt } from '../../src/ledger/journal/receipt-codec.ts';
import { type Ledger, openLedger } from '../../src/ledger/ledger.ts';
import { ledgerEntryOf } from '../../src/ledger/ledger-entry.ts';
import {
  type AfterActionOptions,
  type AfterActionRunner,
  startAfterActions,
} from '../../src/record/after/after-actions.ts';
import { receiptOf, rememberingLog, testFolder } from './record-rig.ts';
import { uploadedOutcome } from './upload-job.ts';

/** The receipt of a file as it lies on disk now. */
export function receiptFor(root: string, name: PathName, change: Partial<Receipt> = {}): Receipt {
  const stats = statSync(pathOnDisk(root, name), { bigint: true });
  const version = { size: Number(stats.size), mtimeNs: String(stats.mtimeNs) };
  const outcome = { ...uploadedOutcome(name.path), ...name, bytes: version.size, mtimeNs: version.mtimeNs };
  const id = fileVersionId({ source: 'inbox', destination: 'dest', ...name, ...version });
  return receiptOf({ ...outcome, id, ...change });
}

export interface AfterActionRig {
  readonly folder: string;
  readonly root: string;
  readonly ledger: Ledger;
  readonly log: ReturnType<typeof rememberingLog>;
  /** Writes a file into the source. */
  write(path: string, content?: string): void;
  /** Commits receipts, with what the source wants done after them; `asSeenNow`: of the files that lie there now. */
  record(receipts: readonly Receipt[], actions?: AfterActions, how?: { readonly asSeenNow: boolean }): void;
  start(change?: Partial<AfterActionOptions>): AfterActionRunner;
  /** Starts, waits until all is done, stops. */
  finish(change?: Partial<AfterActionOptions>): Promise<void>;
  /** Every file below a folder of the rig, `/`-separated, sorted. */
  files(below?: string): string[];
}

/** A source folder and its ledger in a folder of their own. */
export function afterActionRig(actions: AfterActions): AfterActionRig {
  const folder = testFolder();
  const root = join(folder, 'inbox');
  mkdirSync(root);
  const ledger = openLedger(join(folder, 'ledger'));
  onTestFinished(() => ledger.close());
  ledger.commit([], 0);
  const journal = join(folder, 'journal');
  writeFileSync(journal, '');
  const log = rememberingLog();

  const rig: AfterActionRig = {
    folder,
    root,
    ledger,
    log,
    write(path, content = path) {
      mkdirSync(join(root, path, '..'), { recursive: true });
      writeFileSync(join(root, path), content);
    },
    record(receipts, wanted = actions, how = { asSeenNow: false }) {
      const seen = new Map(
        receipts.map(({ id, gen, path }) => [
          jobIdOf(id, gen),
          how.asSeenNow ? statSync(join(root, path), { bigint: true }) : null,
        ]),
      );
      const intentOf = intentsFor({ ...wanted, root }, (jobId) => seen.get(jobId) ?? null);
      let offset = ledger.mark();
      const entries = receipts.map((receipt) => {
        const line = encodeReceipt(receipt);
        appendFileSync(journal, `${line}\n`);
        const length = Buffer.byteLength(line);
        const entry = ledgerEntryOf(receipt, { offset, length }, intentOf);
        offset += length + 1;
        return entry;
      });
      ledger.commit(entries, offset);
    },
    start(change = {}) {
      const runner = startAfterActions({ ...actions, root, ledger, journal, log, ...change });
      onTestFinished(() => runner.stop());
      return runner;
    },
    async finish(change) {
      const runner = rig.start(change);
      await runner.settled();
      await runner.stop();
    },
    files(below = 'inbox') {
      return readdirSync(join(folder, below), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, below).length + 1))
        .sort();
    },
  };
  return rig;
}
