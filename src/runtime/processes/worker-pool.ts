import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { concurrencyAt } from '../../pacing/known-quota.ts';
import type { ConcurrencyOptions } from '../../pacing/options.ts';
import { within } from '../../platform/waiting/within.ts';
import type { OnceView } from '../once-end.ts';
import { joinReports } from '../reports/destination-report.ts';
import type { DestinationView, FromWorker, HeldRoots, ToWorker, WorkerConfig } from './worker-config.ts';

const FIRST_RESTART_MS = 1_000;
const LAST_RESTART_MS = 30_000;
/** What a child may take beyond the budget it was given before it is ended. */
const EXTRA_MS = 500;

/** The upload processes of `worker.processes`, kept running until they are stopped. */
export interface WorkerPool {
  /** All of one destination's processes taken together. */
  view(destination: string): OnceView;
  reports(): readonly DestinationView['report'][];
  /** @returns whether every upload in flight could finish */
  stop(budgetMs: number): Promise<boolean>;
  cutShort(): void;
}

interface Child {
  readonly process: ChildProcess;
  views: readonly DestinationView[];
  complete: boolean;
  readonly startedAtMs: number;
}

/** Who says how the processes are set up, for each that is started. */
interface PoolOptions {
  /** Already divided among them. */
  readonly config: Omit<WorkerConfig, 'heldRoots'>;
  readonly size: number;
  readonly heldRoots: () => HeldRoots;
  readonly log: Log;
}

/**
 * Forks upload processes; one that dies is replaced, its jobs run elsewhere once their locks have expired.
 * @param count at least 2; never more than the uploads any destination may have at once
 * @param heldRoots asked for each process that is started
 */
export function startWorkerPool(
  seed: Omit<WorkerConfig, 'heldRoots'>,
  count: number,
  heldRoots: () => HeldRoots,
  log: Log,
): WorkerPool {
  const most = Math.max(...seed.destinations.map(({ concurrency }) => concurrency.max));
  const size = Math.min(count, most);
  const destinations = seed.destinations.map(({ definition, concurrency }) => {
    // What a known quota allows at the start is divided as well.
    const whole = concurrencyAt(definition.rate, concurrency);
    return { definition, concurrency: shareOf(whole, size) };
  });
  return new ForkedWorkers({ config: { ...seed, destinations }, size, heldRoots, log });
}

class ForkedWorkers implements WorkerPool {
  readonly #options: PoolOptions;
  readonly #children = new Set<Child>();
  /** Of those that are to be started again. */
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopping = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    for (let n = 0; n < options.size; n += 1) this.#start(FIRST_RESTART_MS);
  }

  /** @param restartMs after which it is replaced when it ends soon */
  #start(restartMs: number): void {
    const { config, heldRoots, log } = this.#options;
    const child: Child = { process: forkWorker(), views: [], complete: true, startedAtMs: performance.now() };
    this.#children.add(child);
    child.process.on('message', (message: FromWorker) => {
      if (message.kind === 'view') child.views = message.destinations;
      else child.complete = message.complete;
    });
    child.process.on('exit', (code, signal) => this.#ended(child, { code, signal }, restartMs));
    child.process.on('error', (error) => {
      log.error({ reason: reasonOf(error) }, 'an upload process could not be started');
      // One that was never there does not exit either.
      if (child.process.pid === undefined) this.#ended(child, { code: null, signal: null }, restartMs);
    });
    tell(child, { kind: 'start', workerConfig: { ...config, heldRoots: heldRoots() } });
  }

  #ended(
    child: Child,
    how: { readonly code: number | null; readonly signal: NodeJS.Signals | null },
    restartMs: number,
  ): void {
    if (this.#stopping) return;
    this.#children.delete(child);
    // One that ran for a while begins again with the short wait.
    const isOld = performance.now() - child.startedAtMs > LAST_RESTART_MS;
    const delayMs = isOld ? FIRST_RESTART_MS : restartMs;
    this.#options.log.warn(
      { pid: child.process.pid, ...how, restartInMs: delayMs },
      'an upload process ended; starting another',
    );
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#start(Math.min(delayMs * 2, LAST_RESTART_MS));
    }, delayMs);
    this.#timers.add(timer);
  }

  #viewsOf(destination: string): DestinationView[] {
    return [...this.#children].flatMap(({ views }) =>
      views.filter(({ report }) => report.name === destination),
    );
  }

  view(destination: string): OnceView {
    const views = (): DestinationView[] => this.#viewsOf(destination);
    return {
      // They all have the same credentials: what one is refused for, the others are.
      blockers: () => views().flatMap(({ blockers }) => blockers),
      trouble: () => firstOf(views()),
      movingSinceMs: () => earliest(views().map(({ movingSinceMs }) => movingSinceMs)),
      lastProgressAtMs: () => latest(views().map(({ lastProgressAtMs }) => lastProgressAtMs)),
    };
  }

  reports(): DestinationView['report'][] {
    const names = new Set([...this.#children].flatMap(({ views }) => views.map(({ report }) => report.name)));
    return [...names].flatMap((name) => joinReports(this.#viewsOf(name).map(({ report }) => report)) ?? []);
  }

  async stop(budgetMs: number): Promise<boolean> {
    this.#stopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all([...this.#children].map((child) => ended(child, budgetMs)));
    return [...this.#children].every(({ complete }) => complete);
  }

  cutShort(): void {
    for (const child of this.#children) tell(child, { kind: 'cut-short' });
  }
}

/** Asks one to end within the budget, and ends it where it does not. */
async function ended({ process: child }: Pick<Child, 'process'>, budgetMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  tell({ process: child }, { kind: 'stop', budgetMs });
  if (!(await within(exit, budgetMs + EXTRA_MS))) child.kill('SIGKILL');
}

function tell({ process: child }: Pick<Child, 'process'>, message: ToWorker): void {
  if (child.connected) child.send(message, () => undefined);
}

function firstOf(views: readonly DestinationView[]): DestinationView['trouble'] {
  return views.flatMap(({ trouble }) => trouble ?? []).toSorted((a, b) => a.sinceMs - b.sinceMs)[0] ?? null;
}

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((at) => at !== null);
  return known.length === 0 ? null : Math.min(...known);
}

function latest(times: readonly (number | null)[]): number | null {
  const known = times.filter((at) => at !== null);
  return known.length === 0 ? null : Math.max(...known);
}

/** The same entry from the sources and from the build. */
function forkWorker(): ChildProcess {
  const entry = import.meta.url.endsWith('.ts') ? './worker-process.ts' : './worker-process.js';
  // Structured clone carries what JSON cannot: the patterns of a destination's error table.
  return fork(fileURLToPath(new URL(entry, import.meta.url)), [], { serialization: 'advanced' });
}

/** Together they send no more at once than one process would. */
function shareOf(concurrency: ConcurrencyOptions, size: number): ConcurrencyOptions {
  const max = Math.max(1, Math.floor(concurrency.max / size));
  return { ...concurrency, max, initial: Math.min(max, Math.max(1, Math.floor(concurrency.initial / size))) };
}
