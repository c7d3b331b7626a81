import { openDestination } from '../../destinations/open-destination.ts';
import { reasonOf } from '../../domain/errors.ts';
import { openHttpClient } from '../../platform/http/http-client.ts';
import { logLibraryLines } from '../library-lines.ts';
import { openLogger } from '../logger.ts';
import { type Run, startRun } from '../run.ts';
import type { FromWorker, ToWorker, WorkerConfig } from './worker-config.ts';

/** An upload process of `worker.processes`: the worker role of its parent's sources. Ends when its parent does. */

const VIEW_EVERY_MS = 200;
/** A parent that died cannot say how long its children may take. */
const ORPHAN_BUDGET_MS = 10_000;

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

async function start(seed: WorkerConfig): Promise<Run> {
  const log = openLogger(seed.logLevel, seed.destinations[0]?.definition.secrets);
  logLibraryLines(log);
  const http = openHttpClient(seed.http);
  const ports = { fetchText: http.fetchText, log, now: Date.now, random: Math.random, env: seed.env };
  const run = await startRun({
    roles: ['worker'],
    plans: seed.plans,
    destinations: seed.destinations.map(({ definition, concurrency }) => ({
      destination: openDestination(definition, ports),
      concurrency,
      rate: definition.rate,
    })),
    http,
    dataDir: seed.dataDir,
    redis: seed.redis,
    // Both are the owner's business.
    maxPending: 1,
    ownPaths: [],
    retry: seed.retry,
    env: process.env,
    published: false,
    heldRoots: seed.heldRoots,
    onReceipts: () => undefined,
    log,
  });
  setInterval(() => tell({ kind: 'view', destinations: run.destinationViews() }), VIEW_EVERY_MS).unref();
  return run;
}

let running: Promise<Run> | null = null;

async function leave(budgetMs: number): Promise<void> {
  const run = await running?.catch(() => null);
  const complete = (await run?.stop(budgetMs)) ?? true;
  tell({ kind: 'stopped', complete });
  process.exit(0);
}

process.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'start':
      running = start(message.workerConfig);
      running.catch((error: unknown) => {
        process.stderr.write(`slipway: an upload process could not start: ${reasonOf(error)}\n`);
        process.exit(1);
      });
      return;
    case 'stop':
      void leave(message.budgetMs);
      return;
    case 'cut-short':
      void running?.then((run) => run.cutShort());
  }
});
process.on('disconnect', () => void leave(ORPHAN_BUDGET_MS));
process.on('SIGTERM', () => void leave(ORPHAN_BUDGET_MS));
// Ctrl-C reaches the whole group; the parent says how to end.
process.on('SIGINT', () => undefined);
