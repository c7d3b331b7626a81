import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFiles } from './file-set.ts';
import { machineConditions } from './machine.ts';
import { type LoopResult, runLoop, runOnePerFile, scriptInterpreter } from './rival-process.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { runSlipway, type SlipwayResult } from './slipway-run.ts';
import { markdownTable, median, spread } from './table.ts';

export interface ThroughputOptions {
  readonly command: string;
  readonly files: number;
  readonly bytes: number;
  readonly concurrency: number;
  readonly rounds: number;
  /** Files that the one-process-per-file way gets. */
  readonly scriptFiles: number;
}

interface Round {
  readonly slipway: SlipwayResult;
  readonly fetch: LoopResult;
  readonly undici: LoopResult;
  readonly script: LoopResult;
}

/** DESIGN §12, rows 1 to 4: everybody against the same server, in turns, so that a noisy minute meets them all. */
export async function benchThroughput(options: ThroughputOptions): Promise<string> {
  const { files, bytes, rounds, concurrency } = options;
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
  const folder = join(scratch, 'files');
  const conditions = machineConditions();
  makeFiles(folder, files, bytes);
  const server = await startServer();
  const interpreter = await scriptInterpreter();
  try {
    const measured: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const fetch = await checked(server, files, () =>
        runLoop('fetch-loop', { folder, concurrency, server }),
      );
      const undici = await checked(server, files, () =>
        runLoop('undici-loop', { folder, concurrency, server }),
      );
      const task = { ...options, folder, server, scratch };
      const slipway = await checked(server, files, () => runSlipway(task));
      const some = Math.min(options.scriptFiles, files);
      const script = await checked(server, some, () => runOnePerFile(interpreter, folder, some, server));
      measured.push({ slipway, fetch, undici, script });
      progress(round + 1, options, measured);
    }
    return report(options, interpreter.name, conditions, measured);
  } finally {
    await server.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** A run counts only when the server took every file once and refused nothing. */
async function checked<T>(server: ServerProcess, files: number, run: () => Promise<T>): Promise<T> {
  await server.reset();
  const result = await run();
  const { uploads, refused, problem } = await server.stats();
  if (uploads !== files || refused > 0)
    throw new Error(`${files} files, but ${uploads} uploads and ${refused} refusals (${problem})`);
  return result;
}

const perSecond = (files: number, ms: number): number => (files * 1000) / ms;

function ratesOf({ files }: ThroughputOptions, rounds: readonly Round[]) {
  const loop = (pick: (round: Round) => LoopResult): number[] =>
    rounds.map((round) => perSecond(pick(round).files, pick(round).windowMs));
  return {
    slipway: rounds.map(({ slipway }) => perSecond(files, slipway.windowMs)),
    fetch: loop(({ fetch }) => fetch),
    undici: loop(({ undici }) => undici),
    script: loop(({ script }) => script),
  };
}

function byProcess(rounds: readonly Round[], files: number): string {
  const names = new Set(rounds.flatMap(({ slipway }) => Object.keys(slipway.cpuMicrosOf)));
  return [...names]
    .map(
      (name) =>
        `${name} ${median(rounds.map(({ slipway }) => (slipway.cpuMicrosOf[name] ?? 0) / files)).toFixed(0)}`,
    )
    .join(', ');
}

function progress(round: number, options: ThroughputOptions, measured: readonly Round[]): void {
  const rates = Object.entries(ratesOf(options, measured.slice(-1)));
  const text = rates.map(([name, [rate]]) => `${name} ${rate?.toFixed(0)}`).join(', ');
  process.stderr.write(`round ${round} of ${options.rounds}: files/s ${text}\n`);
}

function report(
  options: ThroughputOptions,
  interpreter: string,
  conditions: string,
  rounds: readonly Round[],
): string {
  const { files, bytes, concurrency } = options;
  const rates = ratesOf(options, rounds);
  const own = median(rates.slipway);
  const times = (rival: readonly number[], digits: number): string =>
    `${(own / median(rival)).toFixed(digits)}x`;
  const cpu = (pick: (slipway: SlipwayResult) => number): number[] =>
    rounds.map(({ slipway }) => pick(slipway) / files);
  const loopCpu = (pick: (round: Round) => LoopResult): string =>
    spread(rounds.map((round) => pick(round).cpuMicros / files));
  const wall = rounds.map(({ slipway }) => slipway.wallMs / 1000);
  const rss = rounds.map(({ slipway }) => Math.max(...Object.values(slipway.peakRssBytes)) / 1e6);
  const rows = [
    [
      'slipway, folder to manifest, durable',
      spread(rates.slipway),
      '',
      '',
      spread(cpu((run) => run.windowCpuMicros)),
    ],
    [
      'fetch + FormData + openAsBlob loop',
      spread(rates.fetch),
      times(rates.fetch, 2),
      '>= 1.75x',
      loopCpu(({ fetch }) => fetch),
    ],
    [
      'undici loop, one Buffer per file',
      spread(rates.undici),
      times(rates.undici, 2),
      '>= 0.6x',
      loopCpu(({ undici }) => undici),
    ],
    [`one process per file (${interpreter})`, spread(rates.script, 1), times(rates.script, 0), '>= 300x', ''],
  ];
  return [
    `${files} files of ${bytes} bytes, ${concurrency} at once, ${rounds.length} rounds in turns; median (least-most).`,
    `Conditions: ${conditions}.`,
    '',
    markdownTable(['', 'files/s', 'slipway is', 'target', 'CPU us/file'], rows),
    '',
    `CPU of slipway and its Redis: ${spread(cpu((run) => run.windowCpuMicros))} us per file after start-up (target <= 350), ${spread(cpu((run) => run.totalCpuMicros))} us with start-up and end (${byProcess(rounds, files)}).`,
    `Whole run of slipway, start-up and end included: ${spread(wall, 2)} s; largest process ${spread(rss)} MB.`,
  ].join('\n');
}
