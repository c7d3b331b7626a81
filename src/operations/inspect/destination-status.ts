import { type DestinationReport, etaSeconds, isHeldUp, type SourceReport } from '../../domain/live-report.ts';
import { joinReports } from '../../runtime/reports/destination-report.ts';

/** One destination as `status` shows it, all processes and sources taken together. */
export interface DestinationStatus extends DestinationReport {
  /** Jobs of its sources: in the queue, to be tried again, failed for good. */
  readonly waiting: number;
  readonly delayed: number;
  readonly dead: number;
  /** At the rate of now; null while nothing moves. */
  readonly etaSeconds: number | null;
}

/** Joins what several processes tell of each destination with the counts of its sources. */
export function destinationStatuses(
  reports: readonly DestinationReport[],
  sources: readonly SourceReport[],
  pausedSince: (destination: string) => string | null,
): DestinationStatus[] {
  const names = [...new Set(reports.map(({ name }) => name))];
  return names.flatMap((name) => {
    const joined = joinReports(reports.filter((report) => report.name === name));
    if (joined === null) return [];
    const own = sources.filter(({ destination }) => destination === name);
    const sum = (pick: (source: SourceReport) => number): number =>
      own.reduce((total, source) => total + pick(source), 0);
    const paused = pausedSince(name) ?? joined.pausedSince;
    const acceptedPerSecond = joined.sentPerSecond * (1 - joined.throttledShare);
    return [
      {
        ...joined,
        pausedSince: paused,
        waiting: sum(({ waiting }) => waiting),
        delayed: sum(({ delayed }) => delayed),
        dead: sum(({ dead }) => dead),
        etaSeconds: etaSeconds(
          sum(({ pending }) => pending),
          acceptedPerSecond,
          paused !== null || joined.health !== 'running' || isHeldUp(joined.blockers),
        ),
      },
    ];
  });
}
