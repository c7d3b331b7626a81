import type { DestinationRunner } from './destination-runner.ts';
import type { DestinationReport } from './live-report.ts';

/** What `status` shows of a destination in this process. */
export function destinationReport(runner: DestinationRunner): DestinationReport {
  const health = runner.health();
  return {
    name: runner.destination.name,
    origin: runner.destination.origin,
    health: health.kind,
    failure: health.kind === 'running' ? null : health.failure.message,
    lastTrouble: runner.trouble(),
    limit: runner.limit(),
    inFlight: runner.permits.inFlight(),
  };
}
