import { leftAloneText } from '../../domain/left-out.ts';
import type { OnceEnd } from '../../runtime/once-end.ts';
import type { Run } from '../../runtime/run.ts';
import { EXIT, type ExitCode, worstExit } from '../exit-codes.ts';
import { destinationTrouble, sourceTrouble } from '../screen/blocker-text.ts';

type OnceReport = Awaited<ReturnType<Run['report']>>;

function deadLettersIn({ sources }: OnceReport): number {
  return sources.reduce((sum, { dead }) => sum + dead, 0);
}

const BY_END: Record<OnceEnd, ExitCode> = {
  drained: EXIT.ok,
  // What cannot be read now may be readable at the next run; a success would hide that it is missing.
  incomplete: EXIT.temporary,
  'gave-up': EXIT.temporary,
  stopped: EXIT.stopped,
};

/** The exit code of `--once`: 7 before 6 before 5. Dead letters count until they are sent again or discarded. */
export function onceExit(ends: readonly OnceEnd[], running: Run, report: OnceReport): ExitCode {
  const codes: ExitCode[] = ends.map((end) => BY_END[end]);
  if (running.recorded().failed > 0 || deadLettersIn(report) > 0) codes.push(EXIT.permanent);
  return worstExit(codes);
}

/** What `--once` has done, when all went well. */
export function onceSummary(recorded: ReturnType<Run['recorded']>, report: OnceReport): string {
  const { uploaded, skipped } = recorded;
  const alone = leftAlone(report);
  const rest = alone === null ? '' : `; ${alone}`;
  if (uploaded + skipped === 0) return `nothing new: all that is there was recorded before${rest}`;
  return skipped === 0 ? `${uploaded} uploaded${rest}` : `${uploaded} uploaded, ${skipped} skipped${rest}`;
}

/** What rules left alone, of all sources together; null: nothing. */
function leftAlone({ sources }: OnceReport): string | null {
  const sum: Record<string, number> = {};
  for (const source of sources)
    for (const [reason, count] of Object.entries(source.leftAlone ?? {}))
      sum[reason] = (sum[reason] ?? 0) + count;
  return leftAloneText(sum);
}

/**
 * What kept `--once` from ending well, in one line.
 * @param onDisk files that lie there and are not recorded, where they were counted
 */
export function onceTrouble(report: OnceReport, onDisk = 0): string {
  const failed = report.sources.reduce((sum, { failed: count }) => sum + count, 0);
  const pending = report.sources.reduce((sum, { pending: count }) => sum + count, 0);
  const dead = deadLettersIn(report);
  const reasons = [
    dead === 0 ? null : `${dead} dead letters, until slipway failed retry or discard`,
    ...report.sources.map(sourceTrouble),
    ...report.destinations.map(destinationTrouble),
    leftAlone(report),
  ].filter((text) => text !== null);
  return [`${failed} failed, ${Math.max(pending, onDisk)} kept for the next run`, ...reasons].join('; ');
}
