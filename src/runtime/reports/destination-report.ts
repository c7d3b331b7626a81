import {
  type Blocker,
  type BlockerReport,
  blockerReport,
  type DestinationBlocker,
} from '../../domain/blocker.ts';
import type { DestinationReport } from '../../domain/live-report.ts';
import { pauseBlocker } from '../../domain/pause-list.ts';
import type { Pauses } from '../../redis/coordination/pauses.ts';
import type { DestinationTraffic } from '../../traffic/destination-traffic.ts';

/** What `status` shows of a destination in this process. */
export function destinationReport(
  traffic: DestinationTraffic,
  pauses: Pick<Pauses, 'ofDestination'>,
): DestinationReport {
  const { name, origin } = traffic.destination;
  const blockers = traffic.blockers();
  const pause = pauses.ofDestination(name);
  return {
    name,
    origin,
    ...standingOf(blockers),
    lastTrouble: traffic.trouble()?.message ?? null,
    limit: traffic.limit(),
    inFlight: traffic.permits.inFlight(),
    waitingHere: traffic.permits.waiting(),
    pausedSince: pause?.since ?? null,
    blockers: [...(pause === null ? [] : [pauseBlocker(pause)]), ...blockers].map(blockerReport),
    ...traffic.pace(),
  };
}

/** What is under `health` and beside it: it follows from what is in the way. */
export function standingOf(
  blockers: readonly DestinationBlocker[],
): Pick<DestinationReport, 'health' | 'failure' | 'circuit' | 'probeAt' | 'resumesAt'> {
  const find = (...reasons: readonly Blocker['reason'][]): DestinationBlocker | undefined =>
    blockers.find(({ reason }) => reasons.includes(reason));
  const why = find('down', 'stopped') ?? find('token-away');
  const ends = find('retry-after');
  const iso = (ms: number | null | undefined): string | null =>
    ms == null ? null : new Date(ms).toISOString();
  const isTried = why?.passes === 'one';
  return {
    health:
      why === undefined ? 'running' : isTried ? 'probing' : why.reason === 'stopped' ? 'stopped' : 'down',
    failure: why?.message ?? null,
    // Whoever reads `down` must not read beside it that all is open: a stop alone is no matter of the circuit.
    circuit: why === undefined || why.reason === 'stopped' ? 'closed' : isTried ? 'probing' : 'open',
    probeAt: iso(why?.untilMs),
    resumesAt: iso(ends?.untilMs),
  };
}

/** One destination as several processes see it. Null without any. */
export function joinReports(reports: readonly DestinationReport[]): DestinationReport | null {
  const [first] = reports;
  if (first === undefined) return null;
  const worst = reports.find(({ health }) => health !== 'running') ?? first;
  const sum = (pick: (report: DestinationReport) => number): number =>
    reports.reduce((total, report) => total + pick(report), 0);
  const sentPerSecond = sum((report) => report.sentPerSecond);
  const throttledPerSecond = sum((report) => report.throttledShare * report.sentPerSecond);
  const trips = reports.filter(({ roundTripMs }) => roundTripMs !== null);
  return {
    ...worst,
    lastTrouble: reports.find(({ lastTrouble }) => lastTrouble !== null)?.lastTrouble ?? null,
    limit: sum(({ limit }) => limit),
    inFlight: sum(({ inFlight }) => inFlight),
    waitingHere: sum(({ waitingHere }) => waitingHere),
    resumesAt: reports.map(({ resumesAt }) => resumesAt).reduce(latest, null),
    pausedSince: reports.map(({ pausedSince }) => pausedSince).reduce(latest, null),
    blockers: joinedBlockers(reports.flatMap(({ blockers = [] }) => blockers)),
    roundTripMs: trips.length === 0 ? null : sum(({ roundTripMs }) => roundTripMs ?? 0) / trips.length,
    sentPerSecond,
    throttledShare: sentPerSecond === 0 ? 0 : throttledPerSecond / sentPerSecond,
  };
}

function latest(one: string | null, other: string | null): string | null {
  return one === null || (other !== null && other > one) ? other : one;
}

/** What stands in all their ways alike, stands there once: since the first of them, until the last. */
function joinedBlockers(all: readonly BlockerReport[]): readonly BlockerReport[] {
  const joined = new Map<BlockerReport['reason'], BlockerReport>();
  for (const blocker of all) {
    const known = joined.get(blocker.reason) ?? blocker;
    const since = known.since < blocker.since ? known.since : blocker.since;
    joined.set(blocker.reason, { ...known, since, until: latest(known.until, blocker.until) });
  }
  return [...joined.values()];
}
