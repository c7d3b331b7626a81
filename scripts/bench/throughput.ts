import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFiles } from './file-set.ts';
import { machineConditions } from './machine.ts';
import { watchMachine } from './machine-load.ts';
import { runLoop, runOnePerFile, scriptInterpreter } from './rival-process.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { runSlipway } from './slipway-run.ts';
import { type Measured, type Round, ratesOf, throughputReport } from './throughput-report.ts';

export interface ThroughputOptions {
  readonly command: string;
  readonly files: number;
  readonly bytes: number;
  readonly concurrency: number;
  readonly rounds: number;
  /** Files that the one-process-per-file way gets. */
  readonly scriptFiles: number;
}

/** contract §12, rows 1 to 4: everybody against the same server, in turns, so that a noisy minute meets them all. */
export async function benchThroughput(options: ThroughputOptions): Promise<string> {
  const { files, bytes, rounds, concurrency } = options;
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
  const folder = join(scratch, 'files');
  const conditions = machineConditions();
  makeFiles(folder, files, bytes);
  const server = await startServer();
  const interpreter = await scriptInterpreter();
  const some = Math.min(options.scriptFiles, files);
  try {
    const measured: Round[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      measured.push({
        fetch: await checked(server, files, () => runLoop('fetch-loop', { folder, concurrency, server })),
        undici: await checked(server, files, () => runLoop('undici-loop', { folder, concurrency, server })),
        slipway: await checked(server, files, () => runSlipway({ ...options, folder, server, scratch })),
        script: await checked(server, some, () => runOnePerFile(interpreter, folder, some, server)),
      });
      tell(`round ${round} of ${rounds}`, measured.slice(-1), files);
    }
    return throughputReport({ ...options, interpreter: interpreter.name, conditions }, measured);
  } finally {
    await server.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** A run counts only when the server took every file once and refused nothing. */
async function checked<T extends { readonly totalCpuMicros: number }>(
  server: ServerProcess,
  files: number,
  run: () => Promise<T>,
): Promise<Measured<T>> {
  await server.reset();
  const machine = watchMachine();
  const before = process.cpuUsage();
  const result = await run();
  const bench = process.cpuUsage(before);
  const { uploads, refused, problem, cpuMicros } = await server.stats();
  if (uploads !== files || refused > 0)
    throw new Error(`${files} files, but ${uploads} uploads and ${refused} refusals (${problem})`);
  const ownMicros = result.totalCpuMicros + cpuMicros + bench.user + bench.system;
  return { ...result, othersCores: machine.othersCores(ownMicros) };
}

function tell(title: string, rounds: readonly Round[], files: number): void {
  const rates = Object.entries(ratesOf(rounds, files));
  const text = rates.map(([name, [rate]]) => `${name} ${rate?.toFixed(0)}`).join(', ');
  const others = rounds[0]?.slipway.othersCores.toFixed(1);
  process.stderr.write(`${title}: files/s ${text}; others used ${others} cores\n`);
}
