import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { machineConditions } from './machine.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { markdownTable, median, spread } from './table.ts';
import type { TellingTask } from './telling-process.ts';
import { type ReceiverStats, SECRET } from './webhook-receiver.ts';

export interface WebhookBenchOptions {
  readonly command: string;
  /** Events told one by one; ten times as many in windows. */
  readonly events: number;
  readonly rounds: number;
  readonly filesPerSecond: number;
  /** Files of one run with, and one without webhooks. */
  readonly files: number;
}

/**
 * What issue "Webhooks a pipeline can rely on" asks for: events a second, receipts a second in windows, a bad endpoint
 * with a sender that is killed twice, and what webhooks cost the uploads.
 */
export async function benchWebhooks(options: WebhookBenchOptions): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
  const conditions = machineConditions();
  try {
    const single: number[] = [];
    const windows: number[] = [];
    for (let round = 0; round < options.rounds; round += 1) {
      single.push(rateOf((await told(scratch, { receipts: options.events, maxItems: null })).stats));
      windows.push(rateOf((await told(scratch, { receipts: options.events * 10, maxItems: 100 })).stats));
      process.stderr.write(
        `round ${round + 1}: ${single.at(-1)?.toFixed(0)} and ${windows.at(-1)?.toFixed(0)}\n`,
      );
    }
    const bad = await told(scratch, { receipts: options.events, maxItems: null, failing: 0.3, kills: 2 });
    const { stats } = bad;
    const ratios: number[] = [];
    const rates: { without: number[]; with: number[] } = { without: [], with: [] };
    const server = await startServer();
    try {
      for (let round = 0; round < options.rounds; round += 1) {
        const without = await offered(options, scratch, server, false);
        const withThem = await offered(options, scratch, server, true);
        rates.without.push(without);
        rates.with.push(withThem);
        ratios.push(withThem / without);
        process.stderr.write(
          `round ${round + 1}: ${without.toFixed(0)} and ${withThem.toFixed(0)} files/s\n`,
        );
      }
    } finally {
      await server.close();
    }
    return [
      conditions,
      '',
      markdownTable(
        ['what', 'measured', 'target'],
        [
          [`events/s, one by one (${options.events})`, spread(single), '>= 1000'],
          [`receipts/s in windows of 100 (${options.events * 10})`, spread(windows), '>= 10000'],
          [
            `${options.events} events, 30 % refused, sender killed ${bad.killed} times`,
            `${stats.receipts} arrived, ${stats.repeated} again, ${stats.twoIds} under two ids, ${stats.badSignatures} bad signatures, ${stats.requests} requests`,
            'all arrive, one id each',
          ],
          [
            `uploads at ${options.filesPerSecond} files/s offered, with against without`,
            `${spread(rates.with)} against ${spread(rates.without)} files/s: ${median(ratios).toFixed(3)}x`,
            '>= 0.95x',
          ],
        ],
      ),
    ].join('\n');
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function rateOf({ receipts, firstAtMs, lastAtMs }: ReceiverStats): number {
  return receipts / ((lastAtMs - firstAtMs) / 1_000);
}

/** Throws when not everything was told. */
async function told(
  scratch: string,
  task: { receipts: number; maxItems: number | null; failing?: number; kills?: number },
): Promise<{ readonly stats: ReceiverStats; readonly killed: number }> {
  const folder = mkdtempSync(join(scratch, 'told-'));
  const receiver = await startReceiver(task.failing ?? 0);
  const { receipts, maxItems } = task;
  const wanted: TellingTask = { folder, url: receiver.url, receipts, maxItems, scheduleShare: 0.001 };
  let left = task.kills ?? 0;
  try {
    for (;;) {
      const child = spawn(process.execPath, [local('./telling-process.ts'), JSON.stringify(wanted)], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
      const share = (1 + (task.kills ?? 0) - left) / (2 + (task.kills ?? 0));
      if (left > 0) await killWhen(child, async () => (await receiver.stats()).receipts >= receipts * share);
      const [code] = await exited;
      if (code === 0) break;
      if (left === 0) throw new Error(`the sender ended with ${code}`);
      left -= 1;
    }
    const stats = await receiver.stats();
    if (stats.receipts !== receipts) throw new Error(`${receipts} receipts, but ${stats.receipts} were told`);
    return { stats, killed: (task.kills ?? 0) - left };
  } finally {
    await receiver.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function killWhen(child: ChildProcess, reached: () => Promise<boolean>): Promise<void> {
  while (child.exitCode === null && !(await reached())) await delay(20);
  child.kill('SIGKILL');
}

async function startReceiver(failing: number) {
  const child = fork(local('./webhook-receiver.ts'), [String(failing)], { execArgv: [] });
  const [{ port }] = (await once(child, 'message')) as [AddressInfo];
  return {
    url: `http://127.0.0.1:${port}/`,
    async stats(): Promise<ReceiverStats> {
      child.send('stats');
      const [stats] = (await once(child, 'message')) as [ReceiverStats];
      return stats;
    },
    async close(): Promise<void> {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}

/** @returns files per second from the first drop to the last receipt, of a run that is offered so many */
async function offered(
  { command, files, filesPerSecond }: WebhookBenchOptions,
  scratch: string,
  server: ServerProcess,
  withWebhooks: boolean,
): Promise<number> {
  await server.reset();
  const place = mkdtempSync(join(scratch, 'offered-'));
  const folder = join(place, 'inbox');
  mkdirSync(folder);
  const receiver = await startReceiver(0);
  const manifest = join(place, 'bench.manifest.json');
  const concurrency = { initial: 32, max: 32, adaptive: false };
  const destination = {
    preset: 'autoglm',
    url: server.uploadUrl,
    token: { url: server.tokenUrl },
    concurrency,
  };
  const config = {
    dataDir: join(place, 'data'),
    destinations: { bench: destination },
    sources: { bench: { path: folder, destination: 'bench', settle: '100ms', manifest } },
    webhooks: withWebhooks ? [{ name: 'bench', url: receiver.url, secret: SECRET }] : [],
  };
  writeFileSync(join(place, 'slipway.json'), JSON.stringify(config));
  const errors = join(place, 'stderr.log');
  const child = spawn(process.execPath, [command, 'run', '--config', join(place, 'slipway.json')], {
    stdio: ['ignore', 'ignore', openSync(errors, 'w')],
  });
  const exited = once(child, 'exit');
  try {
    while (!readFileSync(errors, 'utf8').includes('watching')) await delay(20);
    await delay(500);
    const beganMs = Date.now();
    for (let index = 0; index < files; index += 1) {
      writeFileSync(join(folder, `${index}.bin`), `content of file ${index}`);
      const ahead = beganMs + (index * 1_000) / filesPerSecond - Date.now();
      if (ahead > 1) await delay(ahead);
    }
    while (linesIn(`${manifest}l`) < files) await delay(20);
    const endedMs = Math.max(...lastRecorded(`${manifest}l`));
    if (withWebhooks) while ((await receiver.stats()).receipts < files) await delay(50);
    return files / ((endedMs - beganMs) / 1_000);
  } finally {
    child.kill('SIGTERM');
    await exited;
    await receiver.close();
    rmSync(place, { recursive: true, force: true });
  }
}

function linesIn(path: string): number {
  try {
    return readFileSync(path, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}

function lastRecorded(path: string): number[] {
  const lines = readFileSync(path, 'utf8').trim().split('\n').slice(-500);
  return lines.map((line) => Date.parse((JSON.parse(line) as { recordedAt: string }).recordedAt));
}

function local(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
