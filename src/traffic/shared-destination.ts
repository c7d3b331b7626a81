import type { UploadFailure } from '../domain/attempt.ts';
import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Rate } from '../pacing/known-quota.ts';
import type { RateEstimate } from '../pacing/learned-rate.ts';
import { RATE } from '../pacing/pacing-constants.ts';
import { createLocalBucket, type Lease, type LocalBucket, slotIntervalMs } from '../pacing/rate-slots.ts';
import type { DestinationRecord, DestinationRecordView } from '../redis/coordination/destination-record.ts';
import { type CommonTimes, createCommonTimes } from './common-times.ts';
import type { SuspensionKind } from './destination-health.ts';

/** What keeps everybody from sending, as it stands in the record. Nothing secret: it travels through Redis (G5). */
export interface SharedSuspension {
  readonly kind: SuspensionKind;
  readonly failure: UploadFailure;
  /** Milliseconds since the epoch, of the process that noticed. */
  readonly sinceMs: number;
  /** Probes that failed so far. */
  readonly tries: number;
}

export interface SharedView {
  readonly suspension: (SharedSuspension & { readonly probeInMs: number }) | null;
  readonly probesHere: boolean;
  readonly gateInMs: number;
  readonly liftedAgoMs: number | null;
  /** What some process has learned of the quota; null: nothing. */
  readonly learned: SharedRate | null;
}

/** A quota that was learned, as it stands in the record. `by` and `version` tell it from every other. */
export interface SharedRate extends RateEstimate {
  readonly by: string;
  readonly version: number;
}

/** One destination as all processes see it together. Nothing here throws or waits long: without Redis each is on its own. */
export interface SharedDestination {
  standStill(suspension: SharedSuspension, probeInMs: number, afterProbe: boolean): void;
  goOn(): void;
  /** `granted`: this process may send one upload; `none`: others have found that it goes on; else ms to wait. */
  leaseProbe(): Promise<'granted' | 'none' | number>;
  passProbeOn(): void;
  hurry(): void;
  shutGate(ms: number): void;
  /** A file of this process was accepted; the others hear of it with the next look. */
  succeeded(): void;
  /** When a file was last accepted from any process, and now, both on the clock that all of them share. */
  times(): CommonTimes;
  /** Slots of the quota of all processes. @param learned uploads per second where no quota is known */
  reserve(count: number, learned?: number): Promise<Lease>;
  /** What this process has learned of the quota; null: nothing any more. */
  learned(rate: SharedRate | null): void;
  /** Processes that send there, as far as is known. */
  members(): number;
  /** Called with every look at the record. */
  onView(listener: (view: SharedView) => void): void;
  /** Whether this process probes: then its lease is renewed with every look. */
  probing(probing: boolean): void;
  /** Looks at once. */
  look(): void;
  /** The first look, so that nothing is sent past a closed gate; within moments, Redis reachable or not. */
  joined(): Promise<void>;
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 1_000;

/** A process that shares with nobody: `slipway upload`. */
export function unsharedDestination(rate: Rate | null, now: () => number): SharedDestination {
  const bucket = localBucket(rate);
  return {
    standStill() {},
    goOn() {},
    leaseProbe: async () => 'granted',
    passProbeOn() {},
    hurry() {},
    shutGate() {},
    ...createCommonTimes(now),
    reserve: async (count, learned) =>
      bucket(learned)?.reserve(now(), count, 1) ?? { inMs: 0, count, intervalMs: 0 },
    learned() {},
    members: () => 1,
    onView() {},
    probing() {},
    look() {},
    joined: async () => undefined,
    close: async () => undefined,
  };
}

// Over 80 lines: the calls of one record in Redis; each is a line or two, and what they share decides which answer is older than a write.
/**
 * Shares a destination through its record in Redis.
 * @param isThere whether Redis answers now; while it does not, every process keeps to its own share of the quota
 */
export function sharedDestination(options: {
  readonly record: DestinationRecord;
  readonly rate: Rate | null;
  readonly isThere: () => boolean;
  readonly log: Log;
  readonly now: () => number;
}): SharedDestination {
  const { record, rate, isThere, log, now } = options;
  const listeners = new Set<(view: SharedView) => void>();
  const bucket = localBucket(rate);
  const times = createCommonTimes(now);
  let members = 1;
  let probing = false;
  /** Writes begun and ended: what is read while one is under way may be older. */
  let begun = 0;
  let ended = 0;
  let looking = false;
  let hasJoined = false;
  let closed = false;

  function write(work: () => Promise<void>): void {
    if (!isThere() || closed) return;
    begun += 1;
    work()
      .catch((error: unknown) => log.debug({ reason: reasonOf(error) }, 'a destination could not be shared'))
      .finally(() => {
        ended += 1;
      });
  }

  async function lookNow(): Promise<void> {
    const begunBefore = begun;
    // Who has written to it already has joined.
    const joining = !hasJoined && begun === 0;
    const asked = times.asking();
    const view = await record.sync({ joining, probing, succeededAgoMs: asked.succeededAgoMs });
    asked.answered(view);
    hasJoined = true;
    members = view.members;
    if (begun !== begunBefore || ended !== begun || closed) return;
    const shared = sharedView(view);
    for (const listener of listeners) listener(shared);
  }

  async function look(): Promise<void> {
    if (looking || closed || !isThere()) return;
    looking = true;
    try {
      await lookNow();
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'the record of a destination could not be read');
    } finally {
      looking = false;
    }
  }

  const timer = setInterval(() => void look(), LOOK_EVERY_MS);

  /** Never later than `patienceMs`: a Redis that hangs stops no upload. */
  async function inTime<T>(asked: Promise<T>): Promise<T | null> {
    const late = Promise.withResolvers<null>();
    const patience = setTimeout(() => late.resolve(null), RATE.patienceMs);
    try {
      return await Promise.race([asked.catch(() => null), late.promise]);
    } finally {
      clearTimeout(patience);
    }
  }

  return {
    standStill(suspension, probeInMs, afterProbe) {
      const how = { kind: suspension.kind, probeInMs, afterProbe };
      write(() => record.standStill(JSON.stringify(suspension), how));
    },
    goOn: () => write(record.goOn),
    async leaseProbe() {
      return isThere() ? ((await inTime(record.leaseProbe())) ?? 'granted') : 'granted';
    },
    passProbeOn: () => write(record.passProbeOn),
    hurry: () => write(record.hurry),
    shutGate: (ms) => write(() => record.shutGate(ms)),
    succeeded: times.succeeded,
    times: times.times,
    async reserve(count, learned) {
      const own = bucket(learned);
      const intervalMs = intervalOf(rate, learned);
      if (own === null) return { inMs: 0, count, intervalMs: 0 };
      const inMs = isThere() ? await inTime(record.reserve(count, intervalMs)) : null;
      if (inMs === null) return own.reserve(now(), count, members);
      own.takenUntil(now() + inMs + count * intervalMs);
      return { inMs, count, intervalMs };
    },
    learned: (rate) => write(() => record.learn(rate === null ? null : JSON.stringify(rate))),
    members: () => members,
    onView: (listener) => void listeners.add(listener),
    probing(now) {
      probing = now;
    },
    look: () => void look(),
    joined: async () => void (await inTime(look())),
    async close() {
      closed = true;
      clearInterval(timer);
      if (isThere()) await inTime(record.leave());
    },
  };
}

/** What is learned is at its share already. */
function intervalOf(rate: Rate | null, learned: number | undefined): number {
  return slotIntervalMs(rate?.perSecond ?? (learned ?? 0) / RATE.share);
}

/** One bucket for a known quota; for one that is learned, another with every change of it. */
function localBucket(rate: Rate | null): (learned?: number) => LocalBucket | null {
  const known = rate === null ? null : createLocalBucket(rate.perSecond);
  let current: { readonly perSecond: number; readonly bucket: LocalBucket } | null = null;
  return (learned) => {
    if (known !== null || learned === undefined) return known;
    if (current?.perSecond !== learned)
      current = { perSecond: learned, bucket: createLocalBucket(learned / RATE.share) };
    return current.bucket;
  };
}

function sharedView(view: DestinationRecordView): SharedView {
  const { suspension, probeInMs, probesHere, gateInMs, liftedAgoMs, learned } = view;
  return {
    suspension: suspension === null ? null : { ...(JSON.parse(suspension) as SharedSuspension), probeInMs },
    probesHere,
    gateInMs,
    liftedAgoMs,
    learned: learned === null ? null : (JSON.parse(learned) as SharedRate),
  };
}
