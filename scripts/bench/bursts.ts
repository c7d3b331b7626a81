import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { JournalTail, untilRecorded } from './journal-tail.ts';
import { machineConditions } from './machine.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { markdownTable, median } from './table.ts';
import { lastWords, prepareWatch, startWatching } from './watching-run.ts';

export interface BurstOptions {
  readonly command: string;
  /** Sizes of the bursts. */
  readonly files: readonly number[];
  readonly rounds: number;
  readonly standstills: readonly Standstill[];
  readonly shapes: readonly Shape[];
  /** So long nobody reads events while the files are written. */
  readonly standstillMs: number;
  /** Told after every run. */
  readonly progress: (line: string) => void;
}

export const STANDSTILLS = ['SIGSTOP', 'blocked loop', 'none'] as const;
export type Standstill = (typeof STANDSTILLS)[number];

/** All in one folder, or in new folders. */
export const SHAPES = ['flat', 'folders'] as const;
export type Shape = (typeof SHAPES)[number];

export interface BurstCase {
  readonly files: number;
  /** 0: all in one folder. */
  readonly folders: number;
  readonly standstill: Standstill;
}

export interface BurstResult {
  readonly lost: number;
  /** Uploads beyond one per file, and receipts beyond one. */
  readonly twice: number;
  /** From the first write to the last receipt. */
  readonly ms: number;
}

const FOLDERS = 2_000;
const SETTLE_MS = 500;
/** Longer than any scan, and than the pause that follows one. */
const PATIENCE_MS = 60_000;

/** Every size, flat and into new folders, with every kind of standstill, so many times. */
export async function benchBursts(options: BurstOptions): Promise<string> {
  const conditions = machineConditions();
  const server = await startServer();
  const rows: string[][] = [];
  try {
    for (const files of options.files) {
      for (const shape of options.shapes) {
        const folders = shape === 'flat' ? 0 : Math.min(FOLDERS, files);
        for (const standstill of options.standstills) {
          const runs: BurstResult[] = [];
          const burst = { files, folders, standstill };
          for (let round = 0; round < options.rounds; round += 1) {
            const run = await runBurst(burst, options, server);
            runs.push(run);
            options.progress(
              `${nameOf(burst)}, run ${round + 1}: ${run.lost} lost, ${run.twice} twice, ${Math.round(run.ms)} ms`,
            );
          }
          rows.push([
            nameOf(burst),
            runs.map(({ lost }) => lost).join(' '),
            runs.map(({ twice }) => twice).join(' '),
            (median(runs.map(({ ms }) => ms)) / 1_000).toFixed(1),
          ]);
        }
      }
    }
  } finally {
    await server.close();
  }
  return [
    `Bursts of 100-byte files by another process, the reader of events standing still for ${options.standstillMs} ms from before the first write; one column entry per run.`,
    `Conditions: ${conditions}.`,
    '',
    markdownTable(['burst', 'lost', 'twice', 's to the last receipt (median)'], rows),
  ].join('\n');
}

function nameOf({ files, folders, standstill }: BurstCase): string {
  return `${files} files, ${folders === 0 ? 'flat' : `${folders} new folders`}, ${standstill}`;
}

/** One burst into a running installation. */
export async function runBurst(
  { files, folders, standstill }: BurstCase,
  { command, standstillMs }: Pick<BurstOptions, 'command' | 'standstillMs'>,
  server: ServerProcess,
): Promise<BurstResult> {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-burst-'));
  const folder = join(scratch, 'inbox');
  const settings = { scratch: join(scratch, 'run'), folder, server, settleMs: SETTLE_MS, concurrency: 32 };
  const place = prepareWatch(settings);
  await server.reset();
  process.env.BENCH_BLOCK_MS = String(standstillMs);
  const run = startWatching(command, place, ['--import', pathOf('block-loop.ts')]);
  const tail = new JournalTail(place.journal);
  try {
    // Proves that it watches.
    writeFileSync(join(folder, 'first'), 'x');
    await untilRecorded(tail, 1, PATIENCE_MS);
    const beganMs = performance.now();
    if (standstill === 'SIGSTOP') run.process.kill('SIGSTOP');
    if (standstill === 'blocked loop') run.process.kill('SIGUSR2');
    const written = writeBurst(folder, files, folders);
    if (standstill !== 'none') await delay(standstillMs);
    if (standstill === 'SIGSTOP') run.process.kill('SIGCONT');
    await written;
    await untilRecorded(tail, files + 1, PATIENCE_MS);
    const ms = performance.now() - beganMs;
    await run.stop();
    tail.read();
    const { uploads, refused, problem } = await server.stats();
    if (refused > 0) throw new Error(`${refused} refusals (${problem})\n${lastWords(place)}`);
    const { size } = tail.latest;
    return { lost: files + 1 - size, twice: Math.max(uploads, tail.lines) - size, ms };
  } finally {
    run.process.kill('SIGKILL');
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Resolves with the number written. */
export async function writeBurst(
  folder: string,
  files: number,
  folders: number,
  perSecond = 0,
  signal?: AbortSignal,
): Promise<number> {
  const args = [pathOf('burst-writer.ts'), folder, String(files), String(folders), String(perSecond)];
  const writer = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  signal?.addEventListener('abort', () => writer.stdin.end(), { once: true });
  let text = '';
  writer.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(writer, 'close');
  return Number(text);
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(`.//${name}`, import.meta.url));
}
