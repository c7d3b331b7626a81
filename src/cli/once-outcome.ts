import type { OnceEnd } from '../runtime/once-end.ts';
import type { Run } from '../runtime/run.ts';
import { EXIT, type ExitCode, worstExit } from './exit-codes.ts';

/** The exit code of `--once`: 7 before 6 before 5. */
export function onceExit(ends: readonly OnceEnd[], running: Run): ExitCode {
  const codes: ExitCode[] = ends.map((end) =>
    end === 'stopped' ? EXIT.stopped : end === 'gave-up' ? EXIT.temporary : EXIT.ok,
  );
  if (running.recorded().failed > 0) codes.push(EXIT.permanent);
  return worstExit(codes);
}

/** What kept `--once` from ending well, in one line. */
export function onceTrouble(report: Awaited<ReturnType<Run['report']>>): string {
  const failed = report.sources.reduce((sum, { failed: count }) => sum + count, 0);
  const pending = report.sources.reduce((sum, { pending: count }) => sum + count, 0);
  const reasons = report.destinations
    .map(({ failure, lastTrouble }) => failure ?? lastTrouble)
    .filter((text) => text !== null);
  return [`${failed} failed, ${pending} kept for the next run`, ...reasons].join('; ');
}
