import type { Redis } from 'ioredis';
import { destinationKey } from '../queue-key.ts';
import { duplicateOf } from '../redis-connection.ts';
import {
  GO_ON_LUA,
  HURRY_LUA,
  LEARN_LUA,
  LIFT_LUA,
  PASS_ON_LUA,
  PROBE_LUA,
  RESERVE_LUA,
  SHUT_GATE_LUA,
  STAND_STILL_LUA,
  SYNC_LUA,
} from './destination-scripts.ts';

/** A process that gave no sign of life for this long does not share any more. */
const MEMBER_LIFE_MS = 10_000;
/** A prober that died is replaced after this long; a live one renews its lease with every look. */
const PROBE_LEASE_MS = 10_000;

/** What all processes know together of one destination. */
export interface DestinationRecordView {
  /** Processes that send there, this one included. */
  readonly members: number;
  /** What keeps everybody from sending, as it was written; null: nothing. */
  readonly suspension: string | null;
  /** Milliseconds until one upload may try; 0 or less: now. */
  readonly probeInMs: number;
  readonly probesHere: boolean;
  /** Milliseconds until anybody may send again; 0 or less: now. */
  readonly gateInMs: number;
  /** Milliseconds since `resume` last lifted whatever there was; null: never. */
  readonly liftedAgoMs: number | null;
  /** Milliseconds since a file was last accepted from anybody; null: never. */
  readonly successAgoMs: number | null;
  /** What was learned of its quota, as it was written; null: nothing. */
  readonly learned: string | null;
  /** Milliseconds since the epoch, of the clock all processes share: that of Redis. */
  readonly atMs: number;
}

/** The record of one destination in Redis: circuit, stop, gate and rate, shared by all processes and hosts. */
export interface DestinationRecord {
  /**
   * Reads it and shows that this process is there. `joining`: for the first time. `succeededAgoMs`: since a success of
   * this process that has not been told yet.
   */
  sync(how: {
    readonly joining: boolean;
    readonly probing: boolean;
    readonly succeededAgoMs?: number | null;
  }): Promise<DestinationRecordView>;
  /** Writes what keeps everybody from sending, unless it is known already. */
  standStill(
    text: string,
    how: { readonly kind: string; readonly probeInMs: number; readonly afterProbe: boolean },
  ): Promise<void>;
  goOn(): Promise<void>;
  /** `granted`: this process sends one upload now; `none`: there is nothing to probe; else milliseconds to wait. */
  leaseProbe(): Promise<'granted' | 'none' | number>;
  passProbeOn(): Promise<void>;
  /** The next probe may go at once. */
  hurry(): Promise<void>;
  /** Nobody sends for so long. */
  shutGate(ms: number): Promise<void>;
  /** @returns milliseconds until the first of `count` slots of the rate, which are now this process's */
  reserve(count: number, intervalMs: number): Promise<number>;
  /** Writes what was learned of the quota; null: nothing is known any more. */
  learn(text: string | null): Promise<void>;
  /** This process does not share any more. */
  leave(): Promise<void>;
}

/**
 * The record of one destination, seen by one process.
 * @param member names the process among all that use this Redis
 */
export function openDestinationRecord(options: {
  readonly connection: Redis;
  readonly prefix: string;
  readonly destination: string;
  readonly member: string;
}): DestinationRecord {
  const { connection, prefix, destination, member } = options;
  const key = destinationKey(prefix, destination);
  const run = (lua: string, ...args: (string | number)[]): Promise<unknown> =>
    connection.eval(lua, 1, key, ...args);

  return {
    async sync({ joining, probing, succeededAgoMs }) {
      const [members, standstill, probeInMs, prober, gateInMs, successAgoMs, atMs, liftedAgoMs, learned] =
        (await run(
          SYNC_LUA,
          member,
          MEMBER_LIFE_MS,
          probing ? '1' : '0',
          PROBE_LEASE_MS,
          joining ? '1' : '0',
          Math.round(succeededAgoMs ?? -1),
        )) as [number, string, number, string, number, number, number, number, string];
      return {
        members,
        suspension: standstill === '' ? null : standstill,
        probeInMs,
        probesHere: prober === member,
        gateInMs,
        liftedAgoMs: liftedAgoMs < 0 ? null : liftedAgoMs,
        successAgoMs: successAgoMs < 0 ? null : successAgoMs,
        learned: learned === '' ? null : learned,
        atMs,
      };
    },
    async standStill(text, { kind, probeInMs, afterProbe }) {
      await run(STAND_STILL_LUA, member, text, kind, Math.ceil(probeInMs), afterProbe ? '1' : '0');
    },
    async goOn() {
      await run(GO_ON_LUA);
    },
    async leaseProbe() {
      const answer = (await run(PROBE_LUA, member, PROBE_LEASE_MS)) as number;
      if (answer === 0) return 'granted';
      return answer < 0 ? 'none' : answer;
    },
    async passProbeOn() {
      await run(PASS_ON_LUA, member);
    },
    async hurry() {
      await run(HURRY_LUA);
    },
    async shutGate(ms) {
      await run(SHUT_GATE_LUA, Math.ceil(ms));
    },
    async reserve(count, intervalMs) {
      const micros = (await run(RESERVE_LUA, Math.ceil(intervalMs * 1_000), count)) as string;
      return Number(micros) / 1_000;
    },
    async learn(text) {
      await run(LEARN_LUA, text ?? '');
    },
    async leave() {
      await connection.hdel(key, `m:${member}`);
    },
  };
}

/** For `slipway resume`: whatever keeps the processes of a destination from sending is lifted. */
export async function clearSuspension(connection: Redis, prefix: string, destination: string): Promise<void> {
  await connection.eval(LIFT_LUA, 1, destinationKey(prefix, destination));
}

/**
 * Calls back whenever a record, or the list of what is paused, has changed. Only a hint: everybody also looks once a
 * second. The connection is its own: one that listens can do nothing else.
 */
export function hearChanges(connection: Redis, channels: ReadonlyMap<string, () => void>): { close(): void } {
  const listener = duplicateOf(connection);
  listener.on('error', () => undefined);
  listener.on('message', (channel: string) => channels.get(channel)?.());
  // Not waited for: without Redis it would never come.
  if (channels.size > 0) listener.subscribe(...channels.keys()).catch(() => undefined);
  return { close: () => listener.disconnect() };
}

/** Where changes of a destination's record are told. */
export function destinationChannel(prefix: string, destination: string): string {
  return `${destinationKey(prefix, destination)}:changed`;
}
