import type { BatchCounts, BatchEnd } from '../../domain/batch.ts';
import type { BatchProgress } from '../../domain/batch-progress.ts';
import { type LeftAlone, leftAloneText } from '../../domain/left-out.ts';
import type { IngestPreview } from '../../operations/ingest/ingest-preview.ts';
import { formatBytes, formatDuration } from '../../platform/units.ts';
import type { OnceEnd } from '../../runtime/once-end.ts';
import { EXIT, type ExitCode, worstExit } from '../exit-codes.ts';
import { printable } from '../screen/terminal.ts';

/** How a batch ended, or did not: the last line of `--json`. */
export interface IngestOutcome {
  readonly batch: string;
  readonly state: 'completed' | 'incomplete';
  /** Of all sources together. */
  readonly counts: BatchCounts;
  /** Lines of a list that name no file that can be taken. */
  readonly unusable: number;
  /** Files and folders that cannot be read. */
  readonly unreadable: number;
  /** Files that were still being written at the end. */
  readonly unsettled: number;
  /** Left alone by rules, by reason; each name is in the batch manifest. */
  readonly leftAlone: LeftAlone;
  readonly parts: readonly BatchEnd[];
  readonly exitCode: ExitCode;
}

const BY_END: Record<OnceEnd, ExitCode> = {
  drained: EXIT.ok,
  incomplete: EXIT.temporary,
  'gave-up': EXIT.temporary,
  stopped: EXIT.stopped,
};

/** @param ended null: a signal cut it short; its own exit code then holds */
export function ingestOutcome(
  batch: string,
  parts: readonly BatchProgress[],
  ended: readonly OnceEnd[] | null,
): IngestOutcome {
  const sum = (pick: (part: BatchProgress) => number): number =>
    parts.reduce((total, part) => total + pick(part), 0);
  const ends = parts.flatMap(({ end }) => (end === null ? [] : [end]));
  const count = (key: keyof BatchCounts): number =>
    ends.reduce((total, { counts }) => total + counts[key], 0);
  const counts = {
    discovered: sum(({ members }) => members),
    uploaded: count('uploaded'),
    failed: count('failed'),
    skipped: count('skipped'),
  };
  const unusable = sum(({ tally }) => tally.unusable);
  const unreadable = sum(({ tally }) => tally.unreadable);
  const unsettled = sum(({ tally }) => tally.unsettled);
  const codes = (ended ?? []).map((end) => BY_END[end]);
  if (counts.failed + unusable > 0) codes.push(EXIT.permanent);
  if (unreadable + unsettled > 0) codes.push(EXIT.temporary);
  const state = ends.length === parts.length ? 'completed' : 'incomplete';
  const missed = { unusable, unreadable, unsettled, leftAlone: leftAloneIn(parts) };
  return { batch, state, counts, ...missed, parts: ends, exitCode: worstExit(codes) };
}

function leftAloneIn(parts: readonly BatchProgress[]): LeftAlone {
  const sum: Record<string, number> = {};
  for (const { tally } of parts)
    for (const [reason, count] of Object.entries(tally.ignored)) sum[reason] = (sum[reason] ?? 0) + count;
  return sum;
}

/** The same for people. */
export function outcomeLines(outcome: IngestOutcome): string[] {
  const { batch, state, counts, unusable, unreadable, unsettled, leftAlone, parts } = outcome;
  const lines =
    state === 'completed'
      ? [
          `batch ${batch} completed: ${counts.discovered} files, ${counts.uploaded} uploaded, ${counts.failed} failed, ${counts.skipped} skipped`,
        ]
      : [];
  const alone = leftAloneText(leftAlone);
  if (alone !== null) lines.push(`${alone} (named in the manifest)`);
  if (unusable > 0) lines.push(`${unusable} lines of the list name no file that can be sent`);
  if (unreadable > 0)
    lines.push(
      `${unreadable} files and folders cannot be read: correct their permissions, and repeat the command`,
    );
  if (unsettled > 0)
    lines.push(`${unsettled} files were still being written: repeat the command to send them`);
  for (const { manifest } of parts) lines.push(`manifest ${manifest}`);
  return lines;
}

/** What somebody has to know to go on with a batch. */
export function resumeLine(batch: string): string {
  return `to go on: slipway ingest --resume ${batch}`;
}

/** `--dry-run`, for people. */
export function previewLines(previews: readonly IngestPreview[]): string[] {
  return previews.flatMap(
    ({ source, destination, files, bytes, known, skipped, skippedPaths, tally, seconds }) => {
      const lines = [
        `${printable(source)} → ${destination}: ${files} files, ${formatBytes(bytes)} would be sent`,
      ];
      if (known > 0) lines.push(`  ${known} are recorded already and would not be sent again`);
      for (const [code, count] of Object.entries(skipped)) {
        const paths = skippedPaths[code] ?? [];
        lines.push(`  ${count} would not be sent: ${code}`, ...paths.map((path) => `    ${printable(path)}`));
        if (count > paths.length) lines.push(`    and ${count - paths.length} more`);
      }
      for (const [reason, count] of Object.entries(tally.ignored))
        lines.push(`  ${count} left alone: ${reason.replace('_', ' ')}`);
      if (tally.unusable > 0) {
        lines.push(`  ${tally.unusable} lines of the list name no file that can be sent`);
        for (const { path, why } of tally.unusableLines) lines.push(`    ${printable(path)}: ${why}`);
      }
      if (tally.unreadable > 0) lines.push(`  ${tally.unreadable} files and folders cannot be read`);
      if (seconds !== null)
        lines.push(`  at least ${formatDuration(seconds * 1000)} at the quota of ${destination}`);
      return lines;
    },
  );
}
