import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpuBetween, meterProcesses } from './process-meter.ts';
import type { ServerProcess } from './server-process.ts';

export interface SlipwayTask {
  /** The built command: `bin/slipway.cjs`. */
  readonly command: string;
  readonly folder: string;
  readonly files: number;
  readonly concurrency: number;
  readonly server: ServerProcess;
  /** A folder of our own, for configuration and state. */
  readonly scratch: string;
}

export interface SlipwayResult {
  /** From the first upload request at the server to the last receipt in journal and ledger. */
  readonly windowMs: number;
  /** The whole life of the process. */
  readonly wallMs: number;
  readonly windowCpuMicros: number;
  readonly totalCpuMicros: number;
  /** Of the whole run, by the name of the process. */
  readonly cpuMicrosOf: Readonly<Record<string, number>>;
  readonly peakRssBytes: Readonly<Record<string, number>>;
}

/**
 * Runs the product from outside, as a user would: its own process, its private Redis, `--once`, receipts on disk.
 * Throws when not every file has exactly one `uploaded` receipt.
 */
export async function runSlipway(task: SlipwayTask): Promise<SlipwayResult> {
  const { command, folder, files, concurrency, server } = task;
  const scratch = mkdtempSync(join(task.scratch, 'run-'));
  const dataDir = join(scratch, 'data');
  const manifest = join(scratch, 'bench.manifest.json');
  const config = join(scratch, 'slipway.json');
  writeFileSync(config, JSON.stringify(configOf({ folder, dataDir, manifest, concurrency, server })));
  mkdirSync(dataDir, { mode: 0o700 });

  const stderr = join(scratch, 'stderr.log');
  const profile =
    process.env.BENCH_CPU_PROF === undefined
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${process.env.BENCH_CPU_PROF}`];
  const beganMs = performance.now();
  const child = spawn(process.execPath, [...profile, command, 'run', '--config', config, '--once'], {
    stdio: ['ignore', 'ignore', openSync(stderr, 'w')],
  });
  const meter = meterProcesses(child.pid ?? 0, dataDir);
  const [code] = await once(child, 'exit');
  const wallMs = performance.now() - beganMs;
  const samples = meter.stop();
  if (code !== 0)
    throw new Error(`slipway ended with ${code}:\n${readFileSync(stderr, 'utf8').slice(-2000)}`);
  assertRecorded(`${manifest}l`, files);

  const { firstAtMs } = await server.stats();
  // Both are written by each commit, the ledger after the journal's fsync.
  const ledger = join(dataDir, 'sources', 'bench', 'ledger', 'data.mdb');
  const recordedAtMs = Math.max(statSync(`${manifest}l`).mtimeMs, statSync(ledger).mtimeMs);
  const last = samples.at(-1);
  rmSync(scratch, { recursive: true, force: true });
  return {
    windowMs: recordedAtMs - firstAtMs,
    wallMs,
    windowCpuMicros: cpuBetween(samples, firstAtMs, recordedAtMs),
    totalCpuMicros: last?.cpuMicros ?? 0,
    cpuMicrosOf: last?.cpuMicrosOf ?? {},
    peakRssBytes: last?.peakRssBytes ?? {},
  };
}

function configOf(facts: {
  readonly folder: string;
  readonly dataDir: string;
  readonly manifest: string;
  readonly concurrency: number;
  readonly server: ServerProcess;
}): unknown {
  const { folder, dataDir, manifest, concurrency, server } = facts;
  return {
    dataDir,
    destinations: {
      bench: {
        preset: 'autoglm',
        url: server.uploadUrl,
        token: { url: server.tokenUrl },
        // The rivals send so many at once from their first request on.
        concurrency: { initial: concurrency, max: concurrency, adaptive: false },
      },
    },
    sources: { bench: { path: folder, destination: 'bench', settle: '100ms', manifest } },
  };
}

function assertRecorded(journal: string, files: number): void {
  const lines = readFileSync(journal, 'utf8').split('\n').slice(0, -1);
  const uploaded = new Set<string>();
  for (const line of lines) {
    const { id, status } = JSON.parse(line) as { id: string; status: string };
    if (status === 'uploaded') uploaded.add(id);
  }
  if (lines.length === files && uploaded.size === files) return;
  throw new Error(`${files} files, but ${lines.length} receipts, ${uploaded.size} of them uploaded`);
}
