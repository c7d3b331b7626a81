import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { FaultLog } from './fault-log.ts';
import type { RoundPlace } from './round-place.ts';

/** `run`: everything in one process. `roles`: one intake and two workers. */
export type Mode = 'run' | 'roles';

/** The Slipway processes of a round. Whoever is killed is started again. */
export interface Fleet {
  /** Names of those that run now. */
  running(): readonly string[];
  /** Of those. */
  pids(): readonly number[];
  /** The one that records. */
  readonly owner: string;
  /** SIGKILL; it is started again after `pauseMs`, with null not at all. */
  kill(name: string, pauseMs: number | null): Promise<void>;
  signal(name: string, signal: NodeJS.Signals): void;
  /** SIGKILL to all; started again by `startAll`. */
  killAll(): Promise<void>;
  startAll(): void;
  start(name: string): void;
  /** The next start of the owner dies once it has passed this step of recording so often. */
  armFailpoint(step: string, passes: number): void;
  /** SIGTERM to all; their exit codes. */
  stop(): Promise<readonly (number | null)[]>;
  /** Runs a command of the same kind to its end. */
  command(args: readonly string[], timeoutMs: number): Promise<{ code: number | null; output: string }>;
  /** Processes that ended without being told to: exit code and when. */
  readonly deserters: readonly {
    readonly name: string;
    readonly code: number | null;
    readonly atMs: number;
  }[];
}

const CLI = fileURLToPath(new URL('../../bin/slipway.cjs', import.meta.url));
const FAILPOINT_ENTRY = fileURLToPath(new URL('../../test/support/failpoint-cli.ts', import.meta.url));
const RESTART_MS = 300;
const STOP_MS = 30_000;

const ROLES: Record<Mode, readonly [string, ...string[]]> = {
  run: ['run'],
  roles: ['intake', 'worker-1', 'worker-2'],
};

/** Nothing runs yet. */
export function fleetOf(mode: Mode, place: RoundPlace, log: FaultLog): Fleet {
  const names = ROLES[mode];
  const owner = names[0];
  const members = new Map<string, ChildProcess>();
  const deserters: { name: string; code: number | null; atMs: number }[] = [];
  const told = new WeakSet<ChildProcess>();
  let failpoint: { step: string; passes: number } | null = null;
  let ending = false;
  let starts = 0;

  function start(name: string): void {
    if (ending || members.has(name)) return;
    const armed = name === owner ? failpoint : null;
    if (armed !== null) failpoint = null;
    const role = name.replace(/-\d$/, '');
    const args = [armed === null ? CLI : FAILPOINT_ENTRY, role, '--config', place.configFile];
    const env = armed === null ? {} : { FAILPOINT: `${armed.step}:${armed.passes}` };
    starts += 1;
    const output = openSync(join(place.logs, `${String(starts).padStart(3, '0')}-${name}.log`), 'a');
    const child = spawn(process.execPath, args, {
      cwd: place.folder,
      env: { ...place.env, ...env },
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    members.set(name, child);
    child.once('exit', (code, signal) => {
      members.delete(name);
      if (told.has(child)) return;
      if (armed !== null && signal === 'SIGKILL')
        log.struck(`owner dies once a batch is ${armed.step}`, Date.now(), Date.now());
      else deserters.push({ name, code, atMs: Date.now() });
      setTimeout(() => start(name), RESTART_MS);
    });
  }

  async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    told.add(child);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  return {
    owner,
    start,
    deserters,
    running: () => [...members.keys()],
    pids: () => [...members.values()].flatMap(({ pid }) => pid ?? []),
    async kill(name, pauseMs) {
      const child = members.get(name);
      if (child !== undefined) {
        log.struck(`SIGKILL ${name.replace(/-\d$/, '')}`, Date.now(), Date.now());
        await end(child, 'SIGKILL');
      }
      if (pauseMs === null) return;
      await delay(pauseMs);
      start(name);
    },
    signal: (name, signal) => void members.get(name)?.kill(signal),
    async killAll() {
      log.struck('SIGKILL all', Date.now(), Date.now());
      await Promise.all([...members.values()].map((child) => end(child, 'SIGKILL')));
    },
    startAll() {
      for (const name of names) start(name);
    },
    armFailpoint(step, passes) {
      failpoint = { step, passes };
    },
    async stop() {
      ending = true;
      return await Promise.all(
        [...members.values()].map(async (child) => {
          const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
          await end(child, 'SIGTERM');
          clearTimeout(late);
          return child.exitCode;
        }),
      );
    },
    async command(args, timeoutMs) {
      const child = spawn(process.execPath, [CLI, ...args, '--config', place.configFile], {
        cwd: place.folder,
        env: place.env,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
      });
      const chunks: Buffer[] = [];
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, output: Buffer.concat(chunks).toString('utf8') };
    },
  };
}
