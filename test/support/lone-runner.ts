import type { ConcurrencyOptions } from '../../src/pacing/options.ts';
import { type DestinationTraffic, openDestinationTraffic } from '../../src/traffic/destination-traffic.ts';
import type { SharedDestination } from '../../src/traffic/shared-destination.ts';
import { rememberingLog } from './record-rig.ts';

export interface LoneFacts {
  readonly circuit?: boolean;
  /** Left out, eight uploads at once. */
  readonly concurrency?: ConcurrencyOptions;
  readonly tokenChanged?: () => Promise<boolean>;
  /** Left out, it is alone. */
  readonly shared?: SharedDestination;
}

export interface LoneRunner {
  readonly runner: DestinationTraffic;
  readonly log: ReturnType<typeof rememberingLog>;
}

/** Looks after a destination `api` without Redis and without anything behind it; no rate. */
export function loneRunner({
  circuit,
  concurrency = { initial: 8, max: 8, adaptive: false },
  shared,
  tokenChanged = async () => false,
}: LoneFacts = {}): LoneRunner {
  const log = rememberingLog();
  const unused = () => {
    throw new Error('not asked in this test');
  };
  const runner = openDestinationTraffic({
    destination: {
      ...{ name: 'api', origin: 'http://127.0.0.1', visibility: 'private', loopback: true },
      limits: { maxBytes: null, minBytes: null, extensions: null },
      ...{
        parts: null,
        readiness: null,
        authorize: unused,
        sentName: unused,
        judge: unused,
        reconsider: unused,
      },
      accepted() {},
      withoutSecrets: (text) => text,
      tokenChanged,
      close: async () => undefined,
    },
    concurrency,
    rate: null,
    ...(circuit === undefined ? {} : { circuit }),
    ...(shared === undefined ? {} : { shared }),
    inHand: () => 0,
    log,
    now: Date.now,
  });
  return { runner, log };
}

/** What a traffic's blockers come to, in one word: is it there, or who finds out. */
export function healthOf(runner: DestinationTraffic) {
  const blocker = runner.blockers().find(({ reason }) => reason !== 'retry-after' && reason !== 'unproven');
  if (blocker === undefined) return { kind: 'running' as const };
  const of = blocker.reason === 'stopped' ? ('stopped' as const) : ('down' as const);
  const failure = 'failure' in blocker ? blocker.failure : null;
  return { kind: blocker.passes === 'one' ? ('probing' as const) : of, of, failure };
}
