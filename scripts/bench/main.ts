/**
 * Usage: npm run bench -- throughput [--files N] [--rounds N] [--concurrency N] [--bytes N] [--script-files N]
 *        npm run bench -- memory [--bytes N] [--rounds N]
 *        npm run bench -- webhooks [--events N] [--files N] [--rounds N] [--files-per-second N]
 * BENCH_CPU_PROF=FOLDER keeps a processor profile of every run of slipway there (and slows it).
 * All measure the built command (`npm run build` first); --command FILE measures another one.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchMemory } from './memory.ts';
import { benchThroughput } from './throughput.ts';
import { benchWebhooks } from './webhooks.ts';

const GIB = 2 ** 30;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    files: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '32' },
    bytes: { type: 'string' },
    events: { type: 'string', default: '20000' },
    'files-per-second': { type: 'string', default: '500' },
    'script-files': { type: 'string', default: '200' },
    command: { type: 'string', default: fileURLToPath(new URL('../../bin/slipway.cjs', import.meta.url)) },
  },
});

const BENCHES: Readonly<Record<string, () => Promise<string>>> = {
  throughput: () =>
    benchThroughput({
      command: values.command,
      files: Number(values.files),
      rounds: Number(values.rounds),
      concurrency: Number(values.concurrency),
      scriptFiles: Number(values['script-files']),
      bytes: Number(values.bytes ?? 4096),
    }),
  webhooks: () =>
    benchWebhooks({
      command: values.command,
      events: Number(values.events),
      files: Number(values.files),
      rounds: Number(values.rounds),
      filesPerSecond: Number(values['files-per-second']),
    }),
  memory: () =>
    benchMemory({
      command: values.command,
      bytes: Number(values.bytes ?? 2 * GIB),
      rounds: Number(values.rounds),
    }),
};

const [name = ''] = positionals;
const bench = BENCHES[name];
if (bench === undefined) fail(`which one? ${Object.keys(BENCHES).join(', ')}`);
else if (!existsSync(join(dirname(values.command), '../dist/cli/main.js'))) fail('run `npm run build` first');
else process.stdout.write(`${await bench()}\n`);

function fail(message: string): void {
  process.stderr.write(`bench: ${message}\n`);
  process.exitCode = 2;
}
