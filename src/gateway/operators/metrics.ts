import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { UploadTarget } from '../upload-target.ts';
import { CIRCUIT, LIMIT, liveGauges, type ReadReport } from './live-gauges.ts';
import { SECONDS, uploadCounters } from './upload-counters.ts';

/** One request as the metrics see it: no file name, id or key. */
export interface RequestMeasure {
  readonly route: string;
  readonly shape: string;
  readonly status: number;
  readonly seconds: number;
}

/** What the door tells Prometheus. */
export interface GatewayMetrics {
  answered(request: RequestMeasure): void;
  /** A file came in. */
  received(bytes: number): void;
  uploaded(destination: string, outcome: string, seconds: number | null): void;
  text(): Promise<{ readonly contentType: string; readonly body: string }>;
}

export interface MetricsSources {
  readonly inFlight: () => number;
  /** Of the files that came in: recorded, waiting, told of. */
  readonly report: ReadReport;
  readonly targets: () => readonly UploadTarget[];
}

export function createMetrics({ inFlight, report, targets }: MetricsSources): GatewayMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'slipway_gateway_requests_total',
    help: 'Requests answered, by route, shape and HTTP status.',
    labelNames: ['route', 'shape', 'status'],
    registers,
  });
  const seconds = new Histogram({
    name: 'slipway_gateway_request_seconds',
    help: 'From the head of a request to its answer.',
    labelNames: ['route', 'shape'],
    buckets: SECONDS,
    registers,
  });
  const bytes = new Counter({
    name: 'slipway_gateway_bytes_total',
    help: 'Bytes of files received.',
    registers,
  });
  const uploads = uploadCounters(registry);
  liveGauges(registry, report, Date.now);
  gauges(registers, { inFlight, targets });
  return {
    answered({ route, shape, status, seconds: took }) {
      requests.inc({ route, shape, status: String(status) });
      seconds.observe({ route, shape }, took);
    },
    received: (count) => bytes.inc(count),
    uploaded: uploads.ended,
    text: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}

/** Read when they are asked for: they cost nothing in between. */
function gauges(registers: Registry[], { inFlight, targets }: Omit<MetricsSources, 'report'>): void {
  new Gauge({
    name: 'slipway_gateway_in_flight',
    help: 'Uploads under way.',
    registers,
    collect() {
      this.set(inFlight());
    },
  });
  new Gauge({
    ...LIMIT,
    registers,
    collect() {
      for (const { destination, uploader } of targets())
        this.set({ destination: destination.name }, uploader.limit());
    },
  });
  new Gauge({
    ...CIRCUIT,
    registers,
    collect() {
      for (const { destination, uploader } of targets()) {
        const blocked = uploader.blockedBy();
        const open = blocked === 'stopped' || blocked === 'down';
        this.set({ destination: destination.name }, open ? 1 : 0);
      }
    },
  });
}
