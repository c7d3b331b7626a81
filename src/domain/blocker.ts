import type { UploadFailure } from './attempt.ts';

interface Block {
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  /** When it ends by itself, or is tried next; null: nobody knows, or it is being tried. Milliseconds since the epoch. */
  readonly untilMs: number | null;
  /** For people: one line, without secrets. */
  readonly message: string;
  /** Who goes past it: nobody; one upload at a time, which tries whether it is over; all but the files it is about. */
  readonly passes: 'none' | 'one' | 'others';
}

/** What keeps files from being sent to a destination, in this process or in all. */
export type DestinationBlocker =
  /** The far side is not there, or what answers is not the API: its circuit is open. */
  | (Block & { readonly reason: 'down'; readonly failure: UploadFailure })
  /** The far side refuses our credentials, clock, account or setting. `inherited`: nobody of this run has tried yet. */
  | (Block & { readonly reason: 'stopped'; readonly failure: UploadFailure; readonly inherited: boolean })
  /** No token is to be had at present. */
  | (Block & { readonly reason: 'token-away'; readonly failure: UploadFailure })
  /** The far side asked to be left alone. */
  | (Block & { readonly reason: 'retry-after' })
  /** Refusals nobody can tell yet whose fault they are: no file has ever been accepted. */
  | (Block & { readonly reason: 'unproven' });

/** What keeps the files of one source from being sent. */
export type SourceBlocker = Block & {
  /**
   * - `paused`: by the user, alone or with its destination or everything.
   * - `recording`: receipts cannot be kept at present.
   * - `owner-lost`: another process records this source now.
   * - `root-gone`: its folder is not there, or empty as when a disk is not mounted.
   * - `uncompared`: its owner has not compared this Redis with what is recorded.
   * - `queue-held`: somebody has paused or limited the queue in Redis, past Slipway.
   * - `shutdown`: this process ends.
   */
  readonly reason:
    | 'paused'
    | 'recording'
    | 'owner-lost'
    | 'root-gone'
    | 'uncompared'
    | 'queue-held'
    | 'shutdown';
};

/** The one way in which work does not go on: why, since when, until when, in words. */
export type Blocker = DestinationBlocker | SourceBlocker;

/** The most telling first: what the user did himself, then what only he can mend, then what passes. */
const BY_WEIGHT: readonly Blocker['reason'][] = [
  'shutdown',
  'paused',
  'owner-lost',
  'queue-held',
  'stopped',
  'recording',
  'root-gone',
  'uncompared',
  'down',
  'token-away',
  'retry-after',
  'unproven',
];

/** The one to name where there is room for one; null: nothing is in the way of everybody. */
export function foremost<B extends Blocker>(blockers: readonly B[]): B | null {
  const inTheWay = blockers.filter(({ passes }) => passes !== 'others');
  return inTheWay.toSorted((a, b) => BY_WEIGHT.indexOf(a.reason) - BY_WEIGHT.indexOf(b.reason))[0] ?? null;
}

/** Whether workers may take more jobs: one that tries has to have one. */
export function mayTakeJobs(blockers: readonly Blocker[]): boolean {
  return blockers.every(({ passes }) => passes !== 'none');
}

/** How many uploads may be in flight where `limit` could be. */
export function limitUnder(blockers: readonly Blocker[], limit: number): number {
  if (!mayTakeJobs(blockers)) return 0;
  return blockers.some(({ passes }) => passes === 'one') ? 1 : limit;
}

/** Whether nobody sends until somebody mends it: not what is being tried, nor what was there before this run and is to be. */
export function isStopped(blockers: readonly Blocker[]): boolean {
  return blockers.some((one) => one.reason === 'stopped' && one.passes === 'none' && !one.inherited);
}

/** A blocker as it stands in reports. Times are ISO. */
export interface BlockerReport {
  readonly reason: Blocker['reason'];
  readonly since: string;
  readonly until: string | null;
  readonly message: string;
}

export function blockerReport({ reason, sinceMs, untilMs, message }: Blocker): BlockerReport {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return { reason, since: iso(sinceMs), until: untilMs === null ? null : iso(untilMs), message };
}
