import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RECORD_STEPS } from '../../test/support/failpoint.ts';
import type { Dice } from './dice.ts';
import type { FaultLog } from './fault-log.ts';
import type { Fleet } from './fleet.ts';
import type { PrivateRedis } from './private-redis.ts';
import type { RoundPlace } from './round-place.ts';
import type { ServerTrouble } from './server-trouble.ts';

/** What a strike has at hand. */
export interface Target {
  readonly fleet: Fleet;
  readonly redis: PrivateRedis;
  readonly server: ServerTrouble;
  readonly place: RoundPlace;
  readonly log: FaultLog;
  readonly dice: Dice;
}

/** One kind of fault. It is over when `run` ends, but for what lingers. */
export interface Strike {
  readonly name: string;
  readonly weight: number;
  /** Takes longer than a short run has. */
  readonly long?: true;
  run(target: Target): Promise<void>;
}

const SECOND = 1000;
/** A lost lock is noticed after lock duration + stalled interval; lost jobs after the next comparison with Redis. */
const LINGER_MS = 15 * SECOND;
const LOCK_MS = 8 * SECOND;

/** Everything that can go wrong with a process, Redis, the disk or the far side. */
export const STRIKES: readonly [Strike, ...Strike[]] = [
  { name: 'kill one', weight: 10, run: killOne },
  { name: 'kill the owner between two steps of recording', weight: 8, run: failpoint },
  { name: 'stop one beyond its lock', weight: 3, run: stopBeyondLock },
  { name: 'kill Redis', weight: 4, run: killRedis },
  { name: 'flush Redis', weight: 3, run: flushRedis },
  { name: 'lose Redis and its data', weight: 2, run: loseRedis },
  {
    name: 'Redis does not answer for a while',
    weight: 2,
    run: ({ dice, ...t }) => holdRedis(t, dice.int(1, 11)),
  },
  { name: 'Redis does not answer for 30 s', weight: 0.5, long: true, run: (t) => holdRedis(t, 30) },
  { name: 'kill all and Redis', weight: 2, run: killEverything },
  { name: 'fill the disk', weight: 2, run: fillDisk },
  {
    name: 'trouble at the server',
    weight: 14,
    run: async ({ server, dice }) => void (await server.strike(dice)),
  },
  { name: 'revoke tokens', weight: 2, run: async ({ server }) => server.revoke() },
];

async function killOne({ fleet, dice }: Target): Promise<void> {
  const [first, ...rest] = fleet.running();
  if (first !== undefined) await fleet.kill(dice.pick([first, ...rest]), dice.int(0, 1500));
}

/** The owner is killed and started again in such a way that it soon dies by itself, at an exact place. */
async function failpoint({ fleet, dice }: Target): Promise<void> {
  fleet.armFailpoint(dice.pick(RECORD_STEPS), dice.int(0, 5));
  await fleet.kill(fleet.owner, 0);
  await delay(3 * SECOND);
}

async function stopBeyondLock({ fleet, dice, log }: Target): Promise<void> {
  const [first, ...rest] = fleet.running();
  if (first === undefined) return;
  const name = dice.pick([first, ...rest]);
  const fromMs = Date.now();
  fleet.signal(name, 'SIGSTOP');
  await delay(LOCK_MS + dice.int(500, 9_000));
  fleet.signal(name, 'SIGCONT');
  log.struck(`SIGSTOP ${name.replace(/-\d$/, '')}`, fromMs, Date.now(), LINGER_MS);
}

/** Its data stays; whoever loses the socket starts it again. */
async function killRedis({ redis, log }: Target): Promise<void> {
  const fromMs = Date.now();
  if (redis.signal('SIGKILL')) log.struck('SIGKILL Redis', fromMs, fromMs, LINGER_MS);
}

async function flushRedis({ redis, log }: Target): Promise<void> {
  const fromMs = Date.now();
  if (await redis.flush()) log.struck('FLUSHALL', fromMs, Date.now(), LINGER_MS);
}

/** The processes live on and find an empty Redis. */
async function loseRedis({ redis, log }: Target): Promise<void> {
  const fromMs = Date.now();
  // Before the others can start it again: its data goes while it is frozen.
  if (!redis.signal('SIGSTOP')) return;
  await redis.wipe();
  redis.signal('SIGKILL');
  log.struck('Redis restarted without data', fromMs, Date.now(), LINGER_MS);
}

async function holdRedis({ redis, log }: Omit<Target, 'dice'>, seconds: number): Promise<void> {
  const fromMs = Date.now();
  if (!redis.signal('SIGSTOP')) return;
  await delay(seconds * SECOND);
  redis.signal('SIGCONT');
  log.struck(`Redis silent ${seconds < 12 ? 'for 1-11' : 'for 30'} s`, fromMs, Date.now(), LINGER_MS);
}

async function killEverything({ fleet, redis, dice }: Target): Promise<void> {
  await fleet.killAll();
  redis.signal('SIGKILL');
  await delay(dice.int(0, SECOND));
  fleet.startAll();
}

const BLOCK = Buffer.alloc(256 * 1024);

/** To the last byte, then there is room again. */
async function fillDisk({ place, dice, log }: Target): Promise<void> {
  if (place.disk === null) return;
  const ballast = join(place.disk, 'ballast');
  const fromMs = Date.now();
  const file = openSync(ballast, 'w');
  for (const size of [BLOCK.length, 4096]) {
    try {
      while (writeSync(file, BLOCK, 0, size) === size) {
        // Until there is no room for one more.
      }
    } catch {
      // ENOSPC, as wanted.
    }
  }
  closeSync(file);
  await delay(dice.int(1_000, 6_000));
  rmSync(ballast, { force: true });
  log.struck('disk full', fromMs, Date.now(), LINGER_MS);
}
