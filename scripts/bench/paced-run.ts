import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFiles } from './file-set.ts';
import { type PacedServer, type ServerLimits, startPacedServer } from './paced-server.ts';

export interface PacedTask {
  readonly command: string;
  readonly scratch: string;
  readonly files: number;
  readonly limits: ServerLimits;
  /** What is written of the destination besides where it is. */
  readonly destination?: object;
  /** What is written besides. */
  readonly config?: object;
  /** Uploaded receipts after which it is stopped; left out: until all is recorded. */
  readonly until?: number;
}

export interface PacedResult {
  readonly server: PacedServer;
  /** From the first request to the last accepted upload, milliseconds. */
  readonly tookMs: number;
  readonly failed: number;
  readonly uploaded: number;
  /** Epoch milliseconds at which the log said that the circuit opened. */
  readonly openedAtMs: number | null;
  /** Most attempts of any receipt, and their mean. */
  readonly attempts: { readonly most: number; readonly mean: number };
}

/** Runs the product from outside against a server with limits, and gathers what both sides saw. */
export async function runPaced(task: PacedTask): Promise<PacedResult> {
  const scratch = mkdtempSync(join(task.scratch, 'paced-'));
  const folder = join(scratch, 'files');
  const manifest = join(scratch, 'bench.manifest.json');
  const config = join(scratch, 'slipway.json');
  const stderr = join(scratch, 'stderr.log');
  makeFiles(folder, task.files, 1_024);
  mkdirSync(join(scratch, 'data'), { mode: 0o700 });
  const server = await startPacedServer(task.limits);
  const bench = { url: server.url, visibility: 'private', answer: { id: '/id' }, ...task.destination };
  writeFileSync(
    config,
    JSON.stringify({
      dataDir: join(scratch, 'data'),
      destinations: { bench },
      sources: { bench: { path: folder, destination: 'bench', settle: '100ms', manifest } },
      ...task.config,
    }),
  );
  const args = ['run', '--config', config];
  if (task.until === undefined) args.push('--once', '--give-up', '10m');
  const child = spawn(process.execPath, [task.command, ...args], {
    stdio: ['ignore', 'ignore', openSync(stderr, 'w')],
  });
  try {
    await ended(child, `${manifest}l`, task.until);
    const receipts = receiptsIn(`${manifest}l`);
    const attempts = receipts.map((receipt) => receipt.attempts);
    return {
      server,
      tookMs: (server.acceptedAtMs.at(-1) ?? 0) - (server.requests[0]?.atMs ?? 0),
      failed: receipts.filter(({ status }) => status === 'failed').length,
      uploaded: receipts.filter(({ status }) => status === 'uploaded').length,
      openedAtMs: openedIn(readFileSync(stderr, 'utf8')),
      attempts: {
        most: Math.max(...attempts),
        mean: attempts.reduce((sum, count) => sum + count, 0) / attempts.length,
      },
    };
  } finally {
    await server.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function ended(child: ChildProcess, journal: string, until: number | undefined): Promise<void> {
  const exited = once(child, 'exit');
  while (until !== undefined && child.exitCode === null && receiptsIn(journal).length < until)
    await sleep(100);
  if (until !== undefined) child.kill('SIGTERM');
  await exited;
}

function receiptsIn(journal: string): { status: string; attempts: number }[] {
  try {
    const lines = readFileSync(journal, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as { status: string; attempts: number });
  } catch {
    return [];
  }
}

function openedIn(log: string): number | null {
  const line = log.split('\n').find((text) => text.includes(' is down, its files are kept'));
  return line === undefined ? null : new Date((JSON.parse(line) as { time: string | number }).time).getTime();
}
