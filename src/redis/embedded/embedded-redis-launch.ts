import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { embeddedRedisConfig } from './embedded-redis-config.ts';
import type { RedisPlace } from './embedded-redis-place.ts';

/** A server process from its launch on. */
export interface LaunchedServer {
  /** undefined: the system could not even start the shell. */
  readonly pid: number | undefined;
  /** null while it runs. `taken`: another starter's server got there first; else its last words. */
  ended(): { readonly taken: boolean; readonly reason: string } | null;
}

/** The pid file existed (sysexits.h calls it a temporary failure). */
const EXIT_TAKEN = 75;
const MAX_LOG_BYTES = 1024 * 1024;
const MAX_REASON_CHARS = 300;

/**
 * The shell writes its own pid and then becomes the server, so that a server is on record before it runs, whenever
 * its starter dies. `set -C` makes the record exclusive: two servers on one append-only file would ruin it.
 */
const LAUNCH = `set -C; umask 077; printf '%s\\n' "$$" > "$1" || exit ${EXIT_TAKEN}; shift; exec "$@"`;

/**
 * Starts a server process; does not wait for it. It gets its own session, so that Ctrl-C reaches us and not the
 * server we still drain into, and an environment without our secrets.
 */
export function launchServer(
  place: RedisPlace,
  socketPath: string,
  binary: string,
  env: NodeJS.ProcessEnv,
): LaunchedServer {
  // In one step: a server of a dead starter may be reading it, and half a configuration opens a TCP port.
  writeFileSync(`${place.configFile}.new`, embeddedRedisConfig(place, socketPath), { mode: 0o600 });
  renameSync(`${place.configFile}.new`, place.configFile);
  const logStart = boundedLogSize(place.logFile);
  const output = openSync(place.logFile, 'a', 0o600);
  let child: ChildProcess;
  try {
    child = spawn('/bin/sh', ['-c', LAUNCH, 'sh', place.pidFile, binary, place.configFile], {
      cwd: place.folder,
      detached: true,
      stdio: ['ignore', output, output],
      env: { PATH: env.PATH ?? '' },
    });
  } finally {
    closeSync(output);
  }
  // We may leave before the server does.
  child.unref();
  let code: number | string | null = null;
  child.on('exit', (exitCode, signal) => {
    code = exitCode ?? signal ?? 'unknown';
  });
  child.on('error', (error) => {
    code = error.message;
  });
  return {
    pid: child.pid,
    ended: () =>
      code === null
        ? null
        : {
            taken: code === EXIT_TAKEN,
            reason: lastWords(place.logFile, logStart) ?? `it ended with ${code}`,
          },
  };
}

/** Where this start's lines begin; a log that has grown large over many starts begins anew. */
function boundedLogSize(logFile: string): number {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= MAX_LOG_BYTES) return size;
  truncateSync(logFile, 0);
  return 0;
}

/** The last line it wrote, without pid, role and time. */
function lastWords(logFile: string, fromByte: number): string | null {
  const lines = readFileSync(logFile).subarray(fromByte).toString('utf8').split('\n');
  const last = lines.map((line) => line.trim()).findLast((line) => line !== '');
  return last?.replace(/^\d+:\w .*?\d\d:\d\d:\d\d\.\d+ [.*#-] /, '').slice(0, MAX_REASON_CHARS) ?? null;
}
