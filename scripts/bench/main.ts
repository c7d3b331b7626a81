/**
 * Usage: npm run bench -- throughput [--files N] [--rounds N] [--concurrency N] [--bytes N] [--script-files N]
 *        npm run bench -- memory [--bytes N] [--rounds N]
 *        npm run bench -- bursts [SIGSTOP|'blocked loop'|none …] [flat|folders] [--files N] [--rounds 10] [--standstill-ms 5000]
 *        npm run bench -- restarts [--restarts N] [--per-second N]
 *        npm run bench -- million [--files N] [--folders N] [--rounds N]
 *        npm run bench -- trickle [--files N] [--interval-ms N]
 *        npm run bench -- pacing [quota|knee|outage|failing|shared|poison …] [--shrink N]
 *        npm run bench -- fairness [--files BACKLOG] [--trickle N]
 *        npm run bench -- ledger [--receipts N]
 *        npm run bench -- webhooks [--events N] [--files N] [--rounds N] [--files-per-second N]
 *        npm run bench -- immich [--files N] [--rounds N]
 *        npm run bench -- model [--schedules N] [--seed N] [--without RULE,…] [--with RULE,…] [--only FAULT,…]
 * BENCH_CPU_PROF=FOLDER keeps a processor profile of every run of slipway there (and slows it).
 * All but the model measure the built command (`npm run build` first); --command FILE measures another one.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchBursts, SHAPES, STANDSTILLS } from './bursts.ts';
import { benchFairness } from './fairness.ts';
import { benchImmich } from './immich.ts';
import { benchLedger } from './ledger.ts';
import { benchMemory } from './memory.ts';
import { benchMillion } from './million.ts';
import { benchPacing } from './pacing.ts';
import { benchQueueModel } from './queue-model.ts';
import { benchRestarts } from './restarts.ts';
import { benchThroughput } from './throughput.ts';
import { benchTrickle } from './trickle.ts';
import { benchWebhooks } from './webhooks.ts';

const GIB = 2 ** 30;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    files: { type: 'string' },
    rounds: { type: 'string' },
    concurrency: { type: 'string', default: '32' },
    bytes: { type: 'string' },
    shrink: { type: 'string', default: '1' },
    trickle: { type: 'string', default: '100' },
    receipts: { type: 'string', default: '1000000' },
    events: { type: 'string', default: '20000' },
    'files-per-second': { type: 'string', default: '500' },
    'script-files': { type: 'string', default: '200' },
    'standstill-ms': { type: 'string', default: '5000' },
    folders: { type: 'string', default: '2000' },
    'interval-ms': { type: 'string', default: '5000' },
    restarts: { type: 'string', default: '20' },
    'per-second': { type: 'string', default: '200' },
    schedules: { type: 'string', default: '200000' },
    seed: { type: 'string', default: '1' },
    without: { type: 'string', default: '' },
    with: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    command: { type: 'string', default: fileURLToPath(new URL('../../bin/slipway.cjs', import.meta.url)) },
  },
});

const BENCHES: Readonly<Record<string, () => Promise<string>>> = {
  throughput: () =>
    benchThroughput({
      command: values.command,
      files: Number(values.files ?? 20_000),
      rounds: Number(values.rounds ?? 3),
      concurrency: Number(values.concurrency),
      scriptFiles: Number(values['script-files']),
      bytes: Number(values.bytes ?? 4096),
    }),
  webhooks: () =>
    benchWebhooks({
      command: values.command,
      events: Number(values.events),
      files: Number(values.files ?? 20_000),
      rounds: Number(values.rounds ?? 3),
      filesPerSecond: Number(values['files-per-second']),
    }),
  memory: () =>
    benchMemory({
      command: values.command,
      bytes: Number(values.bytes ?? 2 * GIB),
      rounds: Number(values.rounds ?? 3),
    }),
  bursts: () =>
    benchBursts({
      command: values.command,
      files: values.files === undefined ? [30_000, 100_000] : [Number(values.files)],
      rounds: Number(values.rounds ?? 10),
      standstills: chosen(STANDSTILLS),
      shapes: chosen(SHAPES),
      standstillMs: Number(values['standstill-ms']),
      progress: (line) => process.stderr.write(`${line}\n`),
    }),
  million: () =>
    benchMillion({
      command: values.command,
      files: Number(values.files ?? 1_000_000),
      folders: Number(values.folders),
      rounds: Number(values.rounds ?? 3),
    }),
  trickle: () =>
    benchTrickle({
      command: values.command,
      files: Number(values.files ?? 100),
      intervalMs: Number(values['interval-ms']),
      settleMs: 2_000,
    }),
  immich: () =>
    benchImmich({
      command: values.command,
      files: Number(values.files ?? 10_000),
      rounds: Number(values.rounds ?? 3),
    }),
  restarts: () =>
    benchRestarts({
      command: values.command,
      restarts: Number(values.restarts),
      perSecond: Number(values['per-second']),
      upToMs: 4_000,
    }),
  pacing: () =>
    benchPacing({ command: values.command, only: positionals.slice(1), shrink: Number(values.shrink) }),
  fairness: () =>
    benchFairness({
      command: values.command,
      backlog: Number(values.files ?? 20_000),
      trickle: Number(values.trickle),
    }),
  ledger: () => benchLedger({ receipts: Number(values.receipts) }),
  model: () =>
    benchQueueModel({
      schedules: Number(values.schedules),
      seed: Number(values.seed),
      without: listOf(values.without),
      plus: listOf(values.with),
      only: listOf(values.only),
    }),
};

function listOf(text: string): readonly string[] {
  return text.split(',').filter((part) => part !== '');
}

/** Those that were named; all where none was. */
function chosen<T extends string>(all: readonly T[]): readonly T[] {
  const named = all.filter((one) => positionals.includes(one));
  return named.length === 0 ? all : named;
}

const [name = ''] = positionals;
const bench = BENCHES[name];
if (bench === undefined) fail(`which one? ${Object.keys(BENCHES).join(', ')}`);
else if (name !== 'model' && !existsSync(join(dirname(values.command), '../dist/cli/main.js')))
  fail('run `npm run build` first');
else process.stdout.write(`${await bench()}\n`);

function fail(message: string): void {
  process.stderr.write(`bench: ${message}\n`);
  process.exitCode = 2;
}
