import type { ModelRedis } from './redis.ts';

/** What stands between two atomic steps: nothing, or a condition to be waited for. */
export type Wait = (() => boolean) | null;
/** A thread of a process: at each `yield` somebody else may run, or the process be stopped or killed. */
export type Story<T = void> = Generator<Wait, T, void>;

/** One process of the product. */
export interface Proc {
  readonly name: string;
  alive: boolean;
  paused: boolean;
  /** Counts stops and lost renewals: locks may be lost since. */
  stale: number;
  staleAt: number;
  /** Its next command is sent twice: the connection was cut. */
  dup: boolean;
  readonly dest: string;
  readonly inc: number;
  /** File job id → `single`, or the carrier it travels in. */
  pending: Map<string, string>;
  /** In hand here → by whom; `out`: handed over to the recorder. */
  readonly hand: Map<string, string>;
  out: string[];
  batch: string[];
  threads: Record<string, { readonly story: Story; wait: Wait }>;
  readonly locks: Set<string>;
  owner: boolean;
  open: boolean;
  mutex: boolean;
  closing: boolean;
  /** Singles in hand. */
  busy: number;
  sent: ((redis: ModelRedis) => unknown) | null;
  readonly forgotten: Set<string>;
}

export function newProc(name: string, dest: string, inc: number): Proc {
  return {
    ...{ name, alive: true, paused: false, stale: 0, staleAt: -1, dup: false, dest, inc },
    ...{ pending: new Map(), hand: new Map(), out: [], batch: [], threads: {}, locks: new Set() },
    ...{ owner: false, open: false, mutex: false, closing: false, busy: 0, sent: null, forgotten: new Set() },
  };
}
