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
  const shared: Omit<WorkerConfig, 'heldRoots'> = {
    ...seed,
    destinations: seed.destinations.map(({ definition, concurrency }) => {
      // What a known quota allows at the start is divided as well.
      const whole = concurrencyAt(definition.rate, concurrency);
      return { definition, concurrency: shareOf(whole, size) };
    }),
  };
  const children = new Set<Child>();
  const timers = new Set<NodeJS.Timeout>();
  let stopping = false;

  function spawn(restartMs: number): void {
    const child: Child = { process: forkWorker(), views: [], complete: true };
    children.add(child);
    const startedAtMs = performance.now();
    child.process.on('message', (message: FromWorker) => {
      if (message.kind === 'view') child.views = message.destinations;
      else child.complete = message.complete;
    });
    child.process.on('exit', ended);
    function ended(code: number | null, signal: NodeJS.Signals | null): void {
      if (stopping) return;
      children.delete(child);
      // One that ran for a while begins again with the short wait.
      const delayMs = performance.now() - startedAtMs > LAST_RESTART_MS ? FIRST_RESTART_MS : restartMs;
      log.warn(
        { pid: child.process.pid, code, signal, restartInMs: delayMs },
        'an upload process ended; starting another',
      );
      const timer = setTimeout(() => {
        timers.delete(timer);
        spawn(Math.min(delayMs * 2, LAST_RESTART_MS));
      }, delayMs);
      timers.add(timer);
    }
    child.process.on('error', (error) => {
      log.error({ reason: reasonOf(error) }, 'an upload process could not be started');
      // One that was never there does not exit either.
      if (child.process.pid === undefined) ended(null, null);
    });
    const own: WorkerConfig = { ...shared, heldRoots: heldRoots() };
    child.process.send({ kind: 'start', workerConfig: own } satisfies ToWorker, () => undefined);
  }

  for (let n = 0; n < size; n += 1) spawn(FIRST_RESTART_MS);

  const viewsOf = (destination: string): DestinationView[] =>
    [...children].flatMap(({ views }) => views.filter(({ report }) => report.name === destination));

  return {
    view(destination) {
      return {
        // They all have the same credentials: what one is refused for, the others are.
        blockers: () => viewsOf(destination).flatMap(({ blockers }) => blockers),
        trouble: () => firstOf(viewsOf(destination)),
        movingSinceMs: () => earliest(viewsOf(destination).map((view) => view.movingSinceMs)),
        lastProgressAtMs: () =>
          viewsOf(destination).reduce<number | null>(
            (latest, { lastProgressAtMs: at }) => (at === null ? latest : Math.max(latest ?? 0, at)),
            null,
          ),
      };
    },

    reports() {
      const names = new Set([...children].flatMap(({ views }) => views.map(({ report }) => report.name)));
      return [...names].flatMap((name) => {
        const joined = joinReports(viewsOf(name).map(({ report }) => report));
        return joined === null ? [] : [joined];
      });
    },

    async stop(budgetMs) {
      stopping = true;
      for (const timer of timers) clearTimeout(timer);
      const ended = [...children].map(async ({ process: child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exit = once(child, 'exit');
        if (child.connected) child.send({ kind: 'stop', budgetMs } satisfies ToWorker, () => undefined);
        if (!(await within(exit, budgetMs + EXTRA_MS))) child.kill('SIGKILL');
      });
      await Promise.all(ended);
      return [...children].every(({ complete }) => complete);
    },

    cutShort() {
      for (const { process: child } of children) {
        if (child.connected) child.send({ kind: 'cut-short' } satisfies ToWorker, () => undefined);
      }
    },
  };
}

function firstOf(views: readonly DestinationView[]): DestinationView['trouble'] {
  return views.flatMap(({ trouble }) => trouble ?? []).toSorted((a, b) => a.sinceMs - b.sinceMs)[0] ?? null;
}

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((at) => at !== null);
  return known.length === 0 ? null : Math.min(...known);
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
