import type { DestinationReport } from '../../domain/live-report.ts';
import type { Pauses } from '../../redis/coordination/pauses.ts';
import type { DestinationHealth } from '../../traffic/destination-health.ts';
import type { DestinationTraffic } from '../../traffic/destination-traffic.ts';

/** What `status` shows of a destination in this process. */
export function destinationReport(
  traffic: DestinationTraffic,
  pauses: Pick<Pauses, 'ofDestination'>,
): DestinationReport {
  const health = traffic.health();
  const { name, origin } = traffic.destination;
  const { resumesAtMs, ...pace } = traffic.pace();
  return {
    name,
    origin,
    health: health.kind,
    failure: health.kind === 'running' ? null : health.failure.message,
    lastTrouble: traffic.trouble(),
    limit: traffic.limit(),
    inFlight: traffic.permits.inFlight(),
    waitingHere: traffic.permits.waiting(),
    circuit: circuitOf(health),
    probeAt: 'probeAtMs' in health ? new Date(health.probeAtMs).toISOString() : null,
    resumesAt: resumesAtMs === null ? null : new Date(resumesAtMs).toISOString(),
    pausedSince: pauses.ofDestination(name)?.since ?? null,
    ...pace,
  };
}

function circuitOf(health: DestinationHealth): DestinationReport['circuit'] {
  // A token source that is away says nothing about the far side.
  if (health.kind === 'running' || health.failure.code.startsWith('token_')) return 'closed';
  if (health.kind === 'down') return 'open';
  return health.kind === 'probing' && health.of === 'down' ? 'probing' : 'closed';
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
    roundTripMs: trips.length === 0 ? null : sum(({ roundTripMs }) => roundTripMs ?? 0) / trips.length,
    sentPerSecond,
    throttledShare: sentPerSecond === 0 ? 0 : throttledPerSecond / sentPerSecond,
  };
}

function latest(one: string | null, other: string | null): string | null {
  return one === null || (other !== null && other > one) ? other : one;
}
