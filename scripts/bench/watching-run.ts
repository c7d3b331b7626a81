import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerProcess } from './server-process.ts';

/** Where one installation of the product lives: its configuration, its state, its manifest. */
export interface WatchPlace {
  readonly config: string;
  readonly dataDir: string;
  readonly journal: string;
  readonly log: string;
}

export interface WatchSettings {
  /** A folder of our own that does not exist yet. */
  readonly scratch: string;
  readonly folder: string;
  readonly server: ServerProcess;
  readonly settleMs: number;
  readonly concurrency: number;
  readonly maxPending?: number;
  /** Instead of the server's own. */
  readonly tokenUrl?: string;
}

/** Writes the configuration of an installation with one source, named `bench`. */
export function prepareWatch(settings: WatchSettings): WatchPlace {
  const { scratch, folder, server, settleMs, concurrency } = settings;
  mkdirSync(scratch, { recursive: true });
  mkdirSync(folder, { recursive: true });
  const dataDir = join(scratch, 'data');
  mkdirSync(dataDir, { mode: 0o700 });
  const manifest = join(scratch, 'bench.manifest.json');
  const config = join(scratch, 'slipway.json');
  const destination = {
    preset: 'autoglm',
    url: server.uploadUrl,
    token: { url: settings.tokenUrl ?? server.tokenUrl },
    concurrency: { initial: concurrency, max: concurrency, adaptive: false },
  };
  const source = { path: folder, destination: 'bench', settle: `${settleMs}ms`, manifest };
  const { maxPending } = settings;
  const queue = maxPending === undefined ? {} : { queue: { maxPending } };
  writeFileSync(
    config,
    JSON.stringify({ dataDir, destinations: { bench: destination }, sources: { bench: source }, ...queue }),
  );
  return { config, dataDir, journal: `${manifest}l`, log: join(scratch, 'stderr.log') };
}

export interface WatchingRun {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Ends it and waits for the end. Throws when it ends otherwise than asked. */
  stop(): Promise<void>;
}

/**
 * Starts `slipway run`, watching.
 * @param nodeArgs before the command
 */
export function startWatching(
  command: string,
  place: WatchPlace,
  nodeArgs: readonly string[] = [],
  args: readonly string[] = [],
): WatchingRun {
  const log = openSync(place.log, 'a');
  const child = spawn(
    process.execPath,
    [...nodeArgs, command, 'run', '--config', place.config, '--yes', ...args],
    { stdio: ['ignore', 'ignore', log] },
  );
  const { pid } = child;
  if (pid === undefined) throw new Error('slipway could not be started');
  return {
    process: child,
    pid,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill('SIGTERM');
        await exited;
      }
      // A clean end, a drain that the signal cut short, or an end before it listened to signals: nothing is lost by any.
      const clean = child.signalCode === 'SIGTERM' || child.exitCode === 0 || child.exitCode === 143;
      if (!clean) throw new Error(`slipway ended with ${child.exitCode}:\n${lastWords(place)}`);
    },
  };
}

export function lastWords(place: WatchPlace): string {
  return readFileSync(place.log, 'utf8').slice(-2_000);
}
