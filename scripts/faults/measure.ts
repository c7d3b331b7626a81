/**
 * Usage: node scripts/faults/measure.ts [--rounds 5] [worker-killed] [redis-back] [rescans]
 * How soon work goes on after a fault, and that rescans send nothing again. Figures for docs/guarantees.md.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openSandbox, type Sandbox } from '../../src/sandbox/open-sandbox.ts';
import { setup as buildCli } from '../../test/support/built-cli.ts';
import { faultLog } from './fault-log.ts';
import { type Fleet, fleetOf, type Mode } from './fleet.ts';
import { ownRedis } from './own-redis.ts';
import { openRoundPlace, type PlaceOptions, type RoundPlace } from './round-place.ts';

const IN_FLIGHT = 8;
const AWAY_MS = 30_000;
const RESCAN_FILES = 3_000;
const WAIT_MS = 60_000;

interface Stage {
  readonly sandbox: Sandbox;
  readonly place: RoundPlace;
  readonly fleet: Fleet;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' } },
});

const MEASURES: Readonly<Record<string, () => Promise<string>>> = {
  'worker-killed': () => repeated('worker killed → all its jobs recorded, done by another', workerKilled),
  'redis-back': () => repeated('Redis back after 30 s away → next receipt', redisBack),
  rescans,
};

buildCli();
for (const name of positionals.length === 0 ? Object.keys(MEASURES) : positionals) {
  process.stdout.write(`${(await MEASURES[name]?.()) ?? `no measure ${name}`}\n`);
}

async function repeated(what: string, once: () => Promise<number>): Promise<string> {
  const seconds: number[] = [];
  for (let round = 0; round < Number(values.rounds); round += 1) seconds.push((await once()) / 1000);
  seconds.sort((a, b) => a - b);
  const median = seconds[Math.floor(seconds.length / 2)] ?? 0;
  return `${what}: median ${median.toFixed(1)} s, worst ${seconds.at(-1)?.toFixed(1)} s (${seconds.length} rounds)`;
}

async function onStage<T>(
  mode: Mode,
  options: Omit<PlaceOptions, 'concurrency'>,
  work: (stage: Stage) => Promise<T>,
): Promise<T> {
  const sandbox = await openSandbox({});
  const place = await openRoundPlace(sandbox, { concurrency: IN_FLIGHT, ...options });
  const fleet = fleetOf(mode, place, faultLog());
  try {
    return await work({ sandbox, place, fleet });
  } finally {
    await fleet.stop();
    await sandbox.close();
    await place.close(false);
  }
}

/** One worker holds uploads that never end; a second one waits for work; the first is killed. */
function workerKilled(): Promise<number> {
  return onStage('roles', { responseTimeout: '5m' }, async ({ sandbox, place, fleet }) => {
    sandbox.addFaults([{ api: 'autoglm', operation: 'upload', action: 'hang', times: IN_FLIGHT }]);
    fleet.start('intake');
    fleet.start('worker-1');
    await drop(place, 'file', IN_FLIGHT);
    // The limit finds its way up only by answers: as many as it begins with are under way.
    await until(() => sandbox.summary().uploadsInFlight >= 4);
    sandbox.clearFaults();
    fleet.start('worker-2');
    await delay(3_000);
    const killedMs = Date.now();
    await fleet.kill('worker-1', null);
    await recorded(place, IN_FLIGHT);
    return Date.now() - killedMs;
  });
}

/** Files wait on disk and in Redis while it is away. */
async function redisBack(): Promise<number> {
  const folder = await mkdtemp('/tmp/sw-own-redis-');
  const redis = ownRedis(folder);
  await redis.start();
  try {
    return await onStage('run', { redisUrl: redis.url }, async ({ place, fleet }) => {
      fleet.startAll();
      await drop(place, 'before', 20);
      await recorded(place, 20);
      await redis.kill();
      await drop(place, 'meanwhile', 20);
      await delay(AWAY_MS);
      await redis.start();
      const backMs = Date.now();
      await recorded(place, 21);
      const tookMs = Date.now() - backMs;
      await recorded(place, 40);
      return tookMs;
    });
  } finally {
    await redis.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

/** No faults, a whole comparison every 3 s (and one whenever a start wants it) while files come and change. */
function rescans(): Promise<string> {
  return onStage('run', {}, async ({ sandbox, place, fleet }) => {
    fleet.startAll();
    for (let start = 0; start < RESCAN_FILES; start += 100) {
      await drop(place, `${start}`, 100);
      await delay(400);
    }
    await recorded(place, RESCAN_FILES);
    const { count, repeated: again } = sandbox.summary();
    return `rescans during a run: ${count} files uploaded, ${again} sent again`;
  });
}

async function drop({ inbox }: RoundPlace, name: string, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1)
    await writeFile(join(inbox, `${name}-${index}.txt`), `content ${name} ${index}`);
}

async function recorded(place: RoundPlace, count: number): Promise<void> {
  await until(async () => (await place.receipts()).length >= count);
}

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = Date.now() + WAIT_MS;
  while (!(await done())) {
    if (Date.now() > endMs) throw new Error('waited for too long');
    await delay(20);
  }
}
