import type { Receipt } from '../../domain/receipt.ts';

/** Files that end by the thousand for one reason, as when a folder is renamed: one line says so. */
export interface GatheredReceipts {
  /** @returns those that have a line of their own */
  take(receipts: readonly Receipt[]): Receipt[];
  /** Says what was gathered. */
  flush(): void;
}

/** @param usual nothing is wrong with it */
type Say = (line: string, usual: boolean) => void;

/** What ends together comes within this time of one another. */
const QUIET_MS = 1_000;
/** So many of one folder are told as one. */
const MANY = 3;

/** Nothing gathered. */
export function createGatheredReceipts(say: Say, tellOne: (receipt: Receipt) => void): GatheredReceipts {
  let existing = 0;
  /** Files that went away, by their folder. */
  let vanished = new Map<string, Receipt[]>();
  let timer: NodeJS.Timeout | null = null;

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (existing > 0)
      say(`${existing} files lay there before the first start: skipped (existing: skip)`, true);
    existing = 0;
    const gone = vanished;
    vanished = new Map();
    for (const [folder, receipts] of gone) {
      if (receipts.length < MANY) receipts.forEach(tellOne);
      else say(`${receipts.length} files of ${folder} went away before they were sent: skipped`, false);
    }
  }

  function isGathered(receipt: Receipt): boolean {
    const { source, path, error } = receipt;
    if (error?.code === 'existing') existing += 1;
    else if (error?.code === 'vanished') {
      const folder = path.includes('/') ? path.slice(0, path.indexOf('/')) : `source ${source}`;
      vanished.set(folder, [...(vanished.get(folder) ?? []), receipt]);
    } else return false;
    return true;
  }

  return {
    take(receipts) {
      const rest = receipts.filter((receipt) => !isGathered(receipt));
      if (rest.length < receipts.length) {
        if (timer !== null) clearTimeout(timer);
        timer = setTimeout(flush, QUIET_MS);
        timer.unref();
      }
      return rest;
    },
    flush,
  };
}
