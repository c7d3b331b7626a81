import type { DestinationStatus } from '../../operations/inspect/destination-status.ts';
import { formatDuration } from '../../platform/units.ts';
import { type Paint, printable } from './terminal.ts';

/** What a person reads of one destination. */
export function destinationLines(destination: DestinationStatus, paint: Paint): string[] {
  const { name, origin, health, failure, lastTrouble, probeAt, resumesAt, pausedSince } = destination;
  const healthy = health === 'running' && pausedSince === null && resumesAt === null;
  const state = pausedSince === null ? health : 'paused';
  const lines = [
    `destination ${name}  ${origin}  ${healthy ? paint.good(state) : paint.bad(state)}`,
    `  ${destination.inFlight} in flight, limit ${destination.limit}${roundTrip(destination)}, circuit ${destination.circuit}`,
    `  ${rate(destination)}`,
    `  ${destination.waiting} waiting, ${destination.delayed} to be tried again, ${destination.dead} failed${eta(destination)}`,
  ];
  if (pausedSince !== null) lines.push(`  ${paint.bad(`paused since ${pausedSince}: slipway resume`)}`);
  if (resumesAt !== null) lines.push(`  ${paint.bad(`asks to be left alone until ${resumesAt}`)}`);
  const reason = failure ?? lastTrouble;
  if (reason !== null) lines.push(`  ${paint.bad(printable(reason))}`);
  if (probeAt !== null) lines.push(`  next try at ${probeAt}`);
  return lines;
}

function roundTrip({ roundTripMs }: DestinationStatus): string {
  return roundTripMs === null ? '' : `, round trip ${formatDuration(roundTripMs)}`;
}

function rate({ quotaPerSecond, sentPerSecond, throttledShare }: DestinationStatus): string {
  const quota = quotaPerSecond === null ? '' : ` of ${Number(quotaPerSecond.toFixed(2))}/s`;
  return `${sentPerSecond.toFixed(1)}${quota === '' ? '/s' : quota} sent, ${(throttledShare * 100).toFixed(0)} % throttled`;
}

function eta({ etaSeconds }: DestinationStatus): string {
  return etaSeconds === null || etaSeconds === 0 ? '' : `, ETA ${formatDuration(etaSeconds * 1000)}`;
}
