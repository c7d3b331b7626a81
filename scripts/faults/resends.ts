import { hash } from 'node:crypto';
import type { Receipt } from '../../src/domain/receipt.ts';
import type { ReceivedFile } from '../../src/sandbox/form/received-file.ts';
import type { Struck } from './fault-log.ts';

/** Uploads of a content beyond its first, and how they are explained. */
export interface Resends {
  readonly total: number;
  /** By a fault that struck while the file had been, or was being, sent and was not yet recorded. */
  readonly explained: number;
  /** By nothing that struck a process or Redis: these need an answer that was lost. */
  readonly others: number;
  readonly violations: readonly string[];
}

const EMPTY = hash('sha256', '', 'hex');
/** An upload under way may be stored this long after its sender was struck (the slowest server answers in 3.5 s). */
const SLOWEST_MS = 4_000;

/**
 * G1: only what had no recorded result when something failed may be sent again, once per failure.
 * @param answersLost files that were stored although the client was told otherwise, or nothing
 */
export function countResends(facts: {
  readonly received: readonly ReceivedFile[];
  readonly receipts: readonly Receipt[];
  readonly struck: readonly Struck[];
  readonly answersLost: number;
}): Resends {
  const recordedMs = new Map<string, number>();
  for (const { sha256, recordedAt } of facts.receipts)
    if (sha256 !== null)
      recordedMs.set(sha256, Math.max(recordedMs.get(sha256) ?? 0, Date.parse(recordedAt)));
  let total = 0;
  let others = 0;
  const unexplained: string[] = [];
  for (const [sha256, files] of bySha256(facts.received)) {
    const repeats = files.length - 1;
    // Empty files are all alike: their uploads cannot be told apart.
    if (repeats === 0 || sha256 === EMPTY) continue;
    const fromMs = Date.parse(files[0]?.receivedAt ?? '') - SLOWEST_MS;
    // A version that was given up (changed, vanished) has no hash in its receipt: its window ends with its last upload.
    const toMs = recordedMs.get(sha256) ?? Date.parse(files.at(-1)?.receivedAt ?? '');
    const faults = facts.struck.filter((fault) => fault.fromMs <= toMs && fault.toMs >= fromMs).length;
    total += repeats;
    if (repeats <= faults) continue;
    others += repeats - faults;
    unexplained.push(`${files[0]?.filename ?? ''} ${repeats + 1} times at ${files.map(timeOf).join(', ')}`);
  }
  const violations =
    others <= facts.answersLost
      ? []
      : [
          `${others} uploads were repeated without a fault that explains it; answers lost: ${facts.answersLost}`,
          ...unexplained.slice(0, 10),
        ];
  return { total, explained: total - others, others, violations };
}

function timeOf({ receivedAt }: ReceivedFile): string {
  return receivedAt.slice(11, 23);
}

function bySha256(received: readonly ReceivedFile[]): Map<string, ReceivedFile[]> {
  const groups = new Map<string, ReceivedFile[]>();
  for (const file of received) {
    const group = groups.get(file.sha256);
    if (group === undefined) groups.set(file.sha256, [file]);
    else group.push(file);
  }
  return groups;
}
