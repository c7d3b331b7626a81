import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { StatusCounts } from '../../operations/receive/received-book.ts';
import type { UploadTarget } from '../upload-target.ts';

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
  uploaded(destination: string, outcome: string, seconds: number): void;
  text(): Promise<{ readonly contentType: string; readonly body: string }>;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export interface MetricsSources {
  readonly inFlight: () => number;
  readonly counts: () => StatusCounts;
  readonly targets: () => readonly UploadTarget[];
}

export function createMetrics({ inFlight, counts, targets }: MetricsSources): GatewayMetrics {
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
  const uploads = new Counter({
    name: 'slipway_uploads_total',
    help: 'Uploads that ended, by destination and outcome.',
    labelNames: ['destination', 'outcome'],
    registers,
  });
  const uploadSeconds = new Histogram({
    name: 'slipway_upload_seconds',
    help: 'One file at its destination, waits and retries included.',
    labelNames: ['destination'],
    buckets: SECONDS,
    registers,
  });
  gauges(registers, { inFlight, counts, targets });
  return {
    answered({ route, shape, status, seconds: took }) {
      requests.inc({ route, shape, status: String(status) });
      seconds.observe({ route, shape }, took);
    },
    received: (count) => bytes.inc(count),
    uploaded(destination, outcome, took) {
      uploads.inc({ destination, outcome });
      uploadSeconds.observe({ destination }, took);
    },
    text: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}

/** Read when they are asked for: they cost nothing in between. */
function gauges(registers: Registry[], { inFlight, counts, targets }: MetricsSources): void {
  new Gauge({
    name: 'slipway_gateway_in_flight',
    help: 'Uploads under way.',
    registers,
    collect() {
      this.set(inFlight());
    },
  });
  new Gauge({
    name: 'slipway_files',
    help: 'Files recorded, the latest receipt of each.',
    labelNames: ['source', 'state'],
    registers,
    collect() {
      for (const [state, count] of Object.entries(counts())) this.set({ source: 'gateway', state }, count);
    },
  });
  new Gauge({
    name: 'slipway_limit',
    help: 'Uploads that a destination is given at once.',
    labelNames: ['destination'],
    registers,
    collect() {
      for (const { destination, uploader } of targets())
        this.set({ destination: destination.name }, uploader.limit());
    },
  });
  new Gauge({
    name: 'slipway_circuit_open',
    help: '1 while a destination is down, or refuses our credentials, clock or account.',
    labelNames: ['destination'],
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
