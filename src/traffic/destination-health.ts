import type { UploadFailure } from '../domain/attempt.ts';

/** Why nobody sends to a destination: it is down (its circuit is open), or it refuses our credentials, clock or account. */
export type SuspensionKind = 'down' | 'stopped';

/**
 * - `running`: permits are given as the limit allows.
 * - `down`: the far side is not there; jobs wait, none fails. Ends with a probe.
 * - `stopped`: the far side refuses our credentials, clock or account; nobody sends. Ends with a probe, or `resume`.
 * - `probing`: this process sends one upload at a time to see whether it is over; ends as running or as before.
 */
export type DestinationHealth =
  | { readonly kind: 'running' }
  | {
      readonly kind: SuspensionKind;
      readonly failure: UploadFailure;
      readonly sinceMs: number;
      readonly probeAtMs: number;
      /** It was there when this process came, and nobody has tried since. */
      readonly inherited: boolean;
    }
  | {
      readonly kind: 'probing';
      readonly of: SuspensionKind;
      readonly failure: UploadFailure;
      readonly sinceMs: number;
    };

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** How long a stopped destination is left alone before one upload tries it again; doubles with every failed try. */
export interface ProbeTiming {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** A person who has just logged in again does not want to wait; one who is asleep does not want it hammered. */
export const PROBE_TIMING: ProbeTiming = { firstMs: 15 * SECOND, lastMs: 5 * MINUTE };
