import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makeFiles } from './file-set.ts';
import type { ImmichStats } from './immich-server.ts';
import { JournalTail, untilRecorded } from './journal-tail.ts';
import { machineConditions } from './machine.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { markdownTable, median, spread } from './table.ts';
import { lastWords, prepareWatch, startWatching } from './watching-run.ts';

export interface ImmichOptions {
  readonly command: string;
  readonly files: number;
  readonly rounds: number;
}

interface BurstRun {
  /** From the first write to the last upload, the quiet time that both wait for taken off. */
  readonly seconds: number;
  readonly uploads: number;
  readonly mostInFlight: number;
}

const PACKAGE = '@immich/cli@3.2.2';
const BYTES = 10_000;
/** Immich waits so long for a file to be quiet; Slipway is told to. */
const SETTLE_MS = 2_000;
const CONCURRENCY = 4;
const PATIENCE_MS = 60_000;

/** A burst into a watched folder, both in turns on one machine. Installs the rival's package (network needed). */
export async function benchImmich(options: ImmichOptions): Promise<string> {
  const { files, rounds, command } = options;
  const conditions = machineConditions();
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-immich-'));
  try {
    const cli = installImmich(join(scratch, 'cli'));
    const immich: BurstRun[] = [];
    const slipway: BurstRun[] = [];
    for (let round = 0; round < rounds; round += 1) {
      immich.push(await immichBurst(cli, files, join(scratch, `immich-${round}`)));
      slipway.push(await slipwayBurst(command, files, join(scratch, `slipway-${round}`)));
    }
    const seconds = (runs: readonly BurstRun[]): number[] => runs.map((run) => run.seconds);
    const row = (name: string, runs: readonly BurstRun[]): string[] => [
      name,
      spread(seconds(runs), 2),
      runs.map(({ uploads }) => files - uploads).join(' '),
      runs.map(({ mostInFlight }) => mostInFlight).join(' '),
    ];
    const ratio = median(seconds(slipway)) / median(seconds(immich));
    return [
      `${files} files of ${BYTES} bytes written at once into a watched folder, ${rounds} rounds in turns, concurrency ${CONCURRENCY}; from the first write to the last upload, ${SETTLE_MS} ms of settling taken off on both sides; median (least-most).`,
      `Conditions: ${conditions}. Rival: ${PACKAGE} against a mock of its API.`,
      '',
      markdownTable(
        ['', 's', 'lost, per run', 'most in flight, per run'],
        [row('Immich CLI upload --watch', immich), row('Slipway', slipway)],
      ),
      '',
      `Slipway takes ${ratio.toFixed(2)}x its time (target <= 0.5x, in flight <= ${CONCURRENCY}).`,
    ].join('\n');
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function installImmich(folder: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', folder, PACKAGE], {
    stdio: 'ignore',
  });
  return join(folder, 'node_modules/@immich/cli/bin/immich');
}

/**
 * In a virtual machine memory that was not used lately costs seconds at its first use: both write into pages that were.
 * One file, and no folder goes before the end: ext4 without a journal passes over inodes that were deleted in the last
 * minutes one by one, and 10,000 of them made the writer of the next burst ten times slower.
 */
function warmPageCache(files: number, scratch: string): void {
  const file = join(scratch, 'warm');
  const content = Buffer.alloc(2 * files * BYTES, 1);
  for (let time = 0; time < 2; time += 1) {
    writeFileSync(file, content);
    rmSync(file);
  }
}

async function immichBurst(cli: string, files: number, scratch: string): Promise<BurstRun> {
  const folder = join(scratch, 'inbox');
  mkdirSync(folder, { recursive: true });
  const script = fileURLToPath(new URL('./immich-server.ts', import.meta.url));
  const server = fork(script, { execArgv: [] });
  const [{ port }] = (await once(server, 'message')) as [AddressInfo];
  const access = ['--url', `http://127.0.0.1:${port}/api`, '--key', 'bench', '--config-directory', scratch];
  const upload = ['upload', '--watch', '--recursive', '--no-progress', '--concurrency', String(CONCURRENCY)];
  const child = spawn(process.execPath, [cli, ...access, ...upload, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await untilPrinted(child, 'Watching for changes...');
    // It does not say when its watcher is ready; the folder is empty.
    await delay(2_000);
    warmPageCache(files, scratch);
    const beganMs = performance.timeOrigin + performance.now();
    makeFiles(folder, files, BYTES, '.jpg');
    const stats = await untilQuiet(server, files);
    const seconds = (stats.lastAtMs - beganMs - SETTLE_MS) / 1_000;
    return { seconds, uploads: stats.uploads, mostInFlight: stats.mostInFlight };
  } finally {
    child.kill('SIGKILL');
    server.disconnect();
  }
}

/** Reads on afterwards, so that the process never waits for a reader. */
async function untilPrinted(child: ChildProcess, text: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    if (printed.length > 10_000) return;
    printed += chunk;
    if (printed.includes(text)) resolve();
  });
  child.once('exit', (code) => reject(new Error(`the Immich CLI ended with ${code}:\n${printed}`)));
  await promise;
}

async function untilQuiet(server: ChildProcess, files: number): Promise<ImmichStats> {
  let before = -1;
  let movedAtMs = performance.now();
  for (;;) {
    server.send('stats');
    const [stats] = (await once(server, 'message')) as [ImmichStats];
    if (stats.uploads >= files || performance.now() - movedAtMs > PATIENCE_MS) return stats;
    if (stats.uploads !== before) movedAtMs = performance.now();
    before = stats.uploads;
    await delay(100);
  }
}

async function slipwayBurst(command: string, files: number, scratch: string): Promise<BurstRun> {
  const folder = join(scratch, 'inbox');
  const server: ServerProcess = await startServer();
  const place = prepareWatch({
    scratch: join(scratch, 'run'),
    ...{ folder, server, settleMs: SETTLE_MS, concurrency: CONCURRENCY },
  });
  const run = startWatching(command, place);
  const tail = new JournalTail(place.journal);
  try {
    writeFileSync(join(folder, 'first'), 'x');
    await untilRecorded(tail, 1, PATIENCE_MS);
    await server.reset();
    warmPageCache(files, scratch);
    const beganMs = performance.timeOrigin + performance.now();
    makeFiles(folder, files, BYTES, '.jpg');
    await untilRecorded(tail, files + 1, PATIENCE_MS);
    const { uploads, refused, problem, lastAtMs, mostInFlight } = await server.stats();
    if (refused > 0) throw new Error(`${refused} refusals (${problem})\n${lastWords(place)}`);
    await run.stop();
    return { seconds: (lastAtMs - beganMs - SETTLE_MS) / 1_000, uploads, mostInFlight };
  } finally {
    run.process.kill('SIGKILL');
    await server.close();
  }
}
