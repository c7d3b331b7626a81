import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFiles } from './file-set.ts';
import { machineConditions } from './machine.ts';
import { NO_LIMITS, startPacedServer } from './paced-server.ts';
import { markdownTable } from './table.ts';

export interface FairnessOptions {
  readonly command: string;
  /** Files of the large source, all there from the start. */
  readonly backlog: number;
  /** Files that trickle in beside it, one every `EVERY_MS`. */
  readonly trickle: number;
}

const EVERY_MS = 100;
const SETTLE_MS = 100;
/** 16 hands of 20 ms: 800 uploads a second at best. */
const LIMITS = { ...NO_LIMITS, knee: 16, serviceMs: 20 };

/** Where the trickle comes in: nothing else is there, into a folder of its own, or into that of the backlog. */
type Case = 'alone' | 'beside' | 'into';

/**
 * How long a file that is dropped into a folder waits, beyond `settle`, until its upload begins: alone, while another
 * source of the same destination has a backlog, and where its own source has one, in Redis and on disk.
 */
export async function benchFairness(options: FairnessOptions): Promise<string> {
  const conditions = machineConditions();
  const rows: string[][] = [];
  const names: Record<Case, string> = {
    alone: 'alone',
    beside: `beside ${options.backlog} files`,
    into: `into a folder with ${options.backlog} files`,
  };
  for (const where of ['alone', 'beside', 'into'] as const) {
    const waits = await trickle(where, options);
    const part = (pick: (wait: Wait) => number): string => {
      const sorted = waits.map(pick).sort((a, b) => a - b);
      const at = (share: number): string =>
        (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(0);
      return `${at(0.5)} / ${at(0.99)} ms`;
    };
    rows.push([
      names[where],
      part(({ queuedMs, sentMs }) => queuedMs + sentMs),
      part(({ queuedMs }) => queuedMs),
      part(({ sentMs }) => sentMs),
      `${waits.length}`,
    ]);
  }
  return [
    conditions,
    `From the drop to the request at the server, ${SETTLE_MS} ms of settle taken off; one file every ${EVERY_MS} ms.`,
    '',
    markdownTable(['a trickle, p50 / p99', 'in all', 'until queued', 'from there until sent', 'files'], rows),
  ].join('\n');
}

interface Wait {
  /** From the drop, `settle` taken off, to the job in the queue. */
  readonly queuedMs: number;
  /** From there to the request at the server. */
  readonly sentMs: number;
}

async function trickle(where: Case, options: FairnessOptions): Promise<Wait[]> {
  const { command } = options;
  const backlog = where === 'alone' ? 0 : options.backlog;
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
  const source = where === 'into' ? 'bulk' : 'live';
  const live = join(scratch, source);
  const config = join(scratch, 'slipway.json');
  makeFiles(join(scratch, 'bulk'), backlog, 1_024);
  mkdirSync(live, { recursive: true });
  const server = await startPacedServer(LIMITS);
  const folder = (name: string): object => ({
    path: join(scratch, name),
    destination: 'bench',
    settle: `${SETTLE_MS}ms`,
  });
  writeFileSync(
    config,
    JSON.stringify({
      dataDir: join(scratch, 'data'),
      destinations: { bench: { url: server.url, visibility: 'private', answer: { id: '/id' } } },
      sources: where === 'into' ? { bulk: folder('bulk') } : { bulk: folder('bulk'), live: folder('live') },
    }),
  );
  const stderr = openSync(join(scratch, 'stderr.log'), 'w');
  const child = spawn(process.execPath, [command, 'run', '--config', config], {
    stdio: ['ignore', 'ignore', stderr],
  });
  const exited = once(child, 'exit');
  try {
    const dropped = new Map<string, number>();
    // Under way: once a first file has gone, and with a backlog enough of it to have filled the queue.
    writeFileSync(join(live, 'first.bin'), 'x');
    const isUnderWay = (): boolean =>
      where === 'into'
        ? server.requests.length > Math.min(500, backlog / 10)
        : server.requests.some(({ filename }) => filename === 'first.bin');
    while (!isUnderWay()) await sleep(50);
    for (let index = 0; index < options.trickle; index += 1) {
      const name = `live-${index}.bin`;
      writeFileSync(join(live, name), `file ${index}`);
      dropped.set(name, Date.now());
      await sleep(EVERY_MS);
    }
    const arrived = (): Map<string, number> =>
      new Map(server.requests.map(({ filename, atMs }) => [filename, atMs]));
    while ([...dropped.keys()].some((name) => !arrived().has(name))) await sleep(100);
    const seen = arrived();
    const bulkLeft =
      backlog - server.requests.filter(({ filename }) => filename.startsWith('document')).length;
    if (backlog > 0 && bulkLeft <= 0)
      throw new Error('the backlog was gone before the trickle: give it more files');
    child.kill('SIGTERM');
    await exited;
    const lines = readFileSync(join(scratch, `${source}.manifest.jsonl`), 'utf8')
      .split('\n')
      .slice(0, -1);
    const queuedAtMs = new Map(
      lines.map((line) => {
        const { path, queuedAt } = JSON.parse(line) as { path: string; queuedAt: string };
        return [path, Date.parse(queuedAt)];
      }),
    );
    return [...dropped].flatMap(([name, atMs]) => {
      const queued = queuedAtMs.get(name);
      if (queued === undefined) return [];
      return [{ queuedMs: queued - atMs - SETTLE_MS, sentMs: (seen.get(name) ?? 0) - queued }];
    });
  } finally {
    child.kill('SIGTERM');
    await exited;
    await server.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}
