import { Counter, Histogram, type Registry } from 'prom-client';

/** Bounds in seconds. */
export const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Counts what ended at destinations. */
export interface UploadCounters {
  /** @param outcome `uploaded`, `skipped`, or the kind of its error */
  ended(destination: string, outcome: string, seconds: number | null): void;
}

export function uploadCounters(registry: Registry): UploadCounters {
  const registers = [registry];
  const uploads = new Counter({
    name: 'slipway_uploads_total',
    help: 'Uploads that ended, by destination and outcome.',
    labelNames: ['destination', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'slipway_upload_seconds',
    help: 'One file at its destination.',
    labelNames: ['destination'],
    buckets: SECONDS,
    registers,
  });
  return {
    ended(destination, outcome, took) {
      uploads.inc({ destination, outcome });
      if (took !== null) seconds.observe({ destination }, took);
    },
  };
}
