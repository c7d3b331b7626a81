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

/**
 * How long a file that is dropped into one folder waits, beyond `settle`, until its upload begins: alone, and while
 * another source of the same destination has a backlog.
 */
export async function benchFairness(options: FairnessOptions): Promise<string> {
  const conditions = machineConditions();
  const rows: string[][] = [];
  for (const backlog of [0, options.backlog]) {
    const waits = await trickleBeside({ ...options, backlog });
    const part = (pick: (wait: Wait) => number): string => {
      const sorted = waits.map(pick).sort((a, b) => a - b);
      const at = (share: number): string =>
        (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(0);
      return `${at(0.5)} / ${at(0.99)} ms`;
    };
    rows.push([
      backlog === 0 ? 'alone' : `beside ${backlog} files`,
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

async function trickleBeside({ command, backlog, trickle }: FairnessOptions): Promise<Wait[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
  const live = join(scratch, 'live');
  const config = join(scratch, 'slipway.json');
  mkdirSync(live);
  makeFiles(join(scratch, 'bulk'), backlog, 1_024);
  const server = await startPacedServer(LIMITS);
  const source = (name: string): object => ({
    path: join(scratch, name),
    destination: 'bench',
    settle: `${SETTLE_MS}ms`,
  });
  writeFileSync(
    config,
    JSON.stringify({
      dataDir: join(scratch, 'data'),
      destinations: { bench: { url: server.url, visibility: 'private', answer: { id: '/id' } } },
      sources: { bulk: source('bulk'), live: source('live') },
    }),
  );
  const stderr = openSync(join(scratch, 'stderr.log'), 'w');
  const child = spawn(process.execPath, [command, 'run', '--config', config], {
    stdio: ['ignore', 'ignore', stderr],
  });
  const exited = once(child, 'exit');
  try {
    const dropped = new Map<string, number>();
    // Under way: with a backlog once it is being sent, else once a first file has gone.
    writeFileSync(join(live, 'first.bin'), 'x');
    while (!server.requests.some(({ filename }) => filename === 'first.bin')) await sleep(50);
    for (let index = 0; index < trickle; index += 1) {
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
    const lines = readFileSync(join(scratch, 'live.manifest.jsonl'), 'utf8').split('\n').slice(0, -1);
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
