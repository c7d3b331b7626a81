import type { BatchTally } from '../../domain/batch-progress.ts';
import type { LeftOut, LeftOutReason } from '../../domain/left-out.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { RULES } from '../scan/disk-state.ts';

/** What has no part in a batch: counted, and kept by name for its manifest. */
export interface LeftOutNames {
  /**
   * @param say for people as well, by name: it was asked for, or nobody would expect it
   * @param detail why, where the reason alone does not tell
   */
  add(name: PathName, reason: LeftOutReason, say: boolean, detail?: string): void;
  list(): readonly LeftOut[];
}

/** As many as a manifest lists files; beyond it they are counted. */
const MAX_NAMES = 100_000;
/** Of each reason: enough to see what is wrong. */
const MAX_SAID = 20;

const WHY: Readonly<Record<LeftOutReason, string>> = {
  ...RULES,
  replaced: 'a later entry of the archive has the same name, and is sent',
  unreadable: 'it cannot be read',
  unsettled: 'it is still being written',
  missing: 'there is no such file',
  outside: 'it is not in the folder of this source',
  folder: 'it is a folder: name its files, or the folder as PATH',
};

/** @param tally counted up on the way */
export function createLeftOutNames(tally: BatchTally, source: string, log: Log): LeftOutNames {
  const names: LeftOut[] = [];
  const said = new Map<LeftOutReason, number>();

  function count(path: string, reason: LeftOutReason): void {
    if (reason === 'unreadable' || reason === 'unsettled') tally[reason] += 1;
    else if (reason === 'missing' || reason === 'outside' || reason === 'folder') {
      tally.unusable += 1;
      if (tally.unusableLines.length < MAX_SAID) tally.unusableLines.push({ path, why: reason });
    } else tally.ignored[reason] = (tally.ignored[reason] ?? 0) + 1;
  }

  return {
    add(name, reason, say, detail) {
      count(name.path, reason);
      if (names.length < MAX_NAMES) names.push({ ...name, reason });
      const before = said.get(reason) ?? 0;
      if (!say || before >= MAX_SAID) return;
      said.set(reason, before + 1);
      const why = detail === undefined ? WHY[reason] : `${WHY[reason]} (${detail})`;
      log.warn({ source, path: name.path, reason }, `${name.path}: ${why}; left out`);
    },
    list: () => names,
  };
}
