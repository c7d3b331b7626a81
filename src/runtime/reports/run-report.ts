import {
  type DestinationReport,
  etaSeconds,
  isHeldUp,
  type LiveReport,
  type SourceReport,
} from '../../domain/live-report.ts';
import { pauseText } from '../../domain/pause-list.ts';
import type { SourceOwner } from '../owner/source-owner.ts';
import type { DestinationView } from '../processes/worker-config.ts';
import { nowMs, type RunningProcess } from '../running-process.ts';
import { destinationReport } from './destination-report.ts';

/** What `status` and the progress line show of one process. */
export async function runReport(here: RunningProcess): Promise<LiveReport> {
  const { identity, options, owners, sources, counted, pool } = here;
  const sourceReports = await Promise.all(owners.map((owner) => sourceReport(owner, here)));
  const rate = counted.rate.read();
  const pending = sourceReports.reduce((sum, source) => sum + source.pending, 0);
  const destinations = pool?.reports() ?? destinationViews(here).map((view) => view.report);
  return {
    v: 1,
    at: new Date(nowMs()).toISOString(),
    host: identity.host,
    pid: identity.pid,
    roles: options.roles,
    serves: sources,
    ...rate,
    etaSeconds: etaSeconds(pending, rate.filesPerSecond, anyHeldUp(sourceReports, destinations)),
    sources: sourceReports,
    destinations,
  };
}

/** One source that cannot go on, and nobody knows when all is done. */
function anyHeldUp(sources: readonly SourceReport[], destinations: readonly DestinationReport[]): boolean {
  const held = new Set(destinations.filter(({ blockers }) => isHeldUp(blockers)).map(({ name }) => name));
  return sources.some(
    ({ pending, paused, blockers, destination }) =>
      pending > 0 && (paused !== undefined || isHeldUp(blockers) || held.has(destination)),
  );
}

async function sourceReport(owner: SourceOwner, { pauses }: RunningProcess): Promise<SourceReport> {
  const paused = pauses.of(owner.plan);
  const report = await owner.report();
  return paused === null ? report : { ...report, paused: pauseText(paused) };
}

/** The destinations that this very process sends to. */
export function destinationViews({ traffics, pauses }: RunningProcess): DestinationView[] {
  return traffics.all().map((traffic) => ({
    report: destinationReport(traffic, pauses),
    blockers: traffic.blockers(),
    trouble: traffic.trouble(),
    lastProgressAtMs: traffic.lastProgressAtMs(),
    movingSinceMs: traffic.movingSinceMs(),
  }));
}
