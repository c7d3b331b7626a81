import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writeBurst } from './bursts.ts';
import { JournalTail, untilRecorded } from './journal-tail.ts';
import { machineConditions } from './machine.ts';
import { startServer } from './server-process.ts';
import { prepareWatch, startWatching } from './watching-run.ts';

export interface RestartOptions {
  readonly command: string;
  /** Starts and stops while files are written. */
  readonly restarts: number;
  readonly perSecond: number;
  /** A run lasts between nothing and so long. */
  readonly upToMs: number;
}

export interface RestartResult {
  readonly files: number;
  readonly lost: number;
  readonly twice: number;
}

const PATIENCE_MS = 60_000;

/** Files written steadily while the product starts and stops, again and again. */
export async function benchRestarts(options: RestartOptions): Promise<string> {
  const conditions = machineConditions();
  const { files, lost, twice } = await runRestarts(options);
  return [
    `${files} files written at ${options.perSecond} per second during ${options.restarts} starts and stops (SIGTERM after 0 to ${options.upToMs} ms of running), then one more start.`,
    `Conditions: ${conditions}.`,
    '',
    `${lost} lost, ${twice} twice`,
  ].join('\n');
}

export async function runRestarts({
  command,
  restarts,
  perSecond,
  upToMs,
}: RestartOptions): Promise<RestartResult> {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-restarts-'));
  const folder = join(scratch, 'inbox');
  const server = await startServer();
  const place = prepareWatch({
    scratch: join(scratch, 'run'),
    folder,
    server,
    settleMs: 300,
    concurrency: 16,
  });
  const ending = new AbortController();
  const tail = new JournalTail(place.journal);
  let run = null as ReturnType<typeof startWatching> | null;
  try {
    const writing = writeBurst(folder, Number.MAX_SAFE_INTEGER, 0, perSecond, ending.signal);
    for (let start = 0; start < restarts; start += 1) {
      run = startWatching(command, place);
      // Spread evenly: some stops come before it has begun to watch.
      await delay((upToMs * start) / Math.max(1, restarts - 1));
      await run.stop();
    }
    run = startWatching(command, place);
    await delay(upToMs);
    ending.abort();
    const files = await writing;
    await untilRecorded(tail, files, PATIENCE_MS);
    await run.stop();
    tail.read();
    const { uploads } = await server.stats();
    const { size } = tail.latest;
    return { files, lost: files - size, twice: Math.max(uploads, tail.lines) - size };
  } finally {
    ending.abort();
    run?.process.kill('SIGKILL');
    await server.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}
