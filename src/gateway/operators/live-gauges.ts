import { Gauge, type Registry } from 'prom-client';
import type { DestinationReport, SourceReport } from '../../domain/live-report.ts';

/** What is told of a running process beyond what it counts itself. */
export type ReadReport = () => Promise<Told | null>;

interface Told {
  readonly sources: readonly Pick<
    SourceReport,
    'name' | 'uploaded' | 'failed' | 'skipped' | 'pending' | 'oldestWaiting' | 'webhooks'
  >[];
  readonly destinations: readonly Pick<DestinationReport, 'name' | 'limit' | 'health'>[];
}

/** Whoever asks twice within it is told the same: several gauges are read for one page. */
const FRESH_MS = 200;

/**
 * Gauges of sources, destinations and endpoints, read when they are asked for: they cost nothing in between.
 * @param now milliseconds since the epoch
 */
export function liveGauges(registry: Registry, read: ReadReport, now: () => number): void {
  const report = readOnce(read, now);
  const registers = [registry];
  new Gauge({
    name: 'slipway_files',
    help: 'Files by their latest receipt; pending: known and not recorded.',
    labelNames: ['source', 'state'],
    registers,
    async collect() {
      for (const { name: source, uploaded, failed, skipped, pending } of (await report())?.sources ?? []) {
        for (const [state, count] of Object.entries({ uploaded, failed, skipped, pending }))
          this.set({ source, state }, count);
      }
    },
  });
  new Gauge({
    name: 'slipway_oldest_waiting_seconds',
    help: 'Age of the oldest file that waits to be sent; 0: none waits.',
    labelNames: ['source'],
    registers,
    async collect() {
      for (const { name, oldestWaiting } of (await report())?.sources ?? [])
        this.set({ source: name }, ageSeconds(oldestWaiting, now()));
    },
  });
  new Gauge({
    name: 'slipway_webhook_lag_seconds',
    help: 'Age of the oldest event that its endpoint has not acknowledged; 0: none.',
    labelNames: ['source', 'endpoint'],
    registers,
    async collect() {
      for (const source of (await report())?.sources ?? []) {
        for (const { name, oldestUnacknowledged } of source.webhooks)
          this.set({ source: source.name, endpoint: name }, ageSeconds(oldestUnacknowledged, now()));
      }
    },
  });
}

/** Gauges of the destinations that a process sends to, from its report. */
export function destinationGauges(registry: Registry, read: ReadReport, now: () => number): void {
  const report = readOnce(read, now);
  const registers = [registry];
  new Gauge({
    ...LIMIT,
    registers,
    async collect() {
      for (const { name, limit } of (await report())?.destinations ?? [])
        this.set({ destination: name }, limit);
    },
  });
  new Gauge({
    ...CIRCUIT,
    registers,
    async collect() {
      for (const { name, health } of (await report())?.destinations ?? [])
        this.set({ destination: name }, health === 'running' ? 0 : 1);
    },
  });
}

export const LIMIT = {
  name: 'slipway_limit',
  help: 'Uploads that a destination is given at once.',
  labelNames: ['destination'],
} as const;

export const CIRCUIT = {
  name: 'slipway_circuit_open',
  help: '1 while a destination is down, or refuses our credentials, clock or account.',
  labelNames: ['destination'],
} as const;

export function ageSeconds(sinceIso: string | null, nowMs: number): number {
  return sinceIso === null ? 0 : Math.max(0, (nowMs - Date.parse(sinceIso)) / 1_000);
}

function readOnce(read: ReadReport, now: () => number): ReadReport {
  let atMs = 0;
  let last: Promise<Told | null> = Promise.resolve(null);
  return () => {
    if (now() - atMs > FRESH_MS) {
      atMs = now();
      // A Redis that is away must not hold up what needs none.
      last = read().catch(() => null);
    }
    return last;
  };
}
