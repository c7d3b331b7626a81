import type { LiveReport } from '../../domain/live-report.ts';
import { formatBytes, formatDuration } from '../../platform/units.ts';
import { destinationTrouble, sourceTrouble } from './blocker-text.ts';
import { fitted } from './cell-width.ts';
import { printable } from './terminal.ts';

/** One line of progress: counts, rates, time left. Pure; colour is the caller's. */
export function progressLine(report: LiveReport, columns: number): string {
  const total = (pick: (source: LiveReport['sources'][number]) => number): number =>
    report.sources.reduce((sum, source) => sum + pick(source), 0);
  const pending = total((source) => source.pending);
  const failed = total((source) => source.failed);
  const skipped = total((source) => source.skipped);
  const inFlight = report.destinations.reduce((sum, destination) => sum + destination.inFlight, 0);
  const parts = [`${total((source) => source.uploaded)} uploaded`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (skipped > 0) parts.push(`${skipped} skipped`);
  parts.push(pending === 0 ? 'waiting for files' : `${pending} to go`);
  if (inFlight > 0) parts.push(`${inFlight} in flight`);
  if (pending > 0 && report.filesPerSecond >= 0.1) {
    parts.push(
      `${report.filesPerSecond.toFixed(1)} files/s`,
      `${formatBytes(Math.round(report.bytesPerSecond))}/s`,
    );
  }
  if (pending > 0 && report.etaSeconds !== null)
    parts.push(`ETA ${formatDuration(report.etaSeconds * 1000)}`);
  const troubles = [...report.destinations.map(destinationTrouble), ...report.sources.map(sourceTrouble)];
  parts.push(...troubles.filter((why) => why !== null));
  return fitted(printable(parts.join(' · ')), columns);
}
