import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** A pid alone is reused by the system; with its start time it names one process for ever. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Digits: clock ticks since boot on Linux, seconds since the epoch on macOS, `0` where neither is known. */
  readonly startTime: string;
}

const UNKNOWN_START = '0';

/**
 * Where pids mean what they mean here: the host's name, on Linux with its pid namespace, since two containers may share
 * the name and see one another's processes as dead.
 */
export function hostIdentity(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTime: processStartTime(process.pid) ?? UNKNOWN_START };
}

/** Whether that very process still runs; a zombie does not, another process with its old pid is not it. */
export function isProcessAlive(identity: ProcessIdentity): boolean {
  return processStartTime(identity.pid) === identity.startTime;
}

/** `pid-startTime`, safe in file names. */
export function formatIdentity(identity: ProcessIdentity): string {
  return `${identity.pid}-${identity.startTime}`;
}

/** null: not written by `formatIdentity`. */
export function parseIdentity(text: string): ProcessIdentity | null {
  const match = /^(\d{1,10})-(\d{1,20})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return null;
  return { pid: Number(match[1]), startTime: match[2] };
}

/** null when no such process runs (a zombie has ended; it only waits for its parent). */
export function processStartTime(pid: number): string | null {
  if (!hasPid(pid)) return null;
  if (process.platform === 'linux') return linuxStartTime(pid);
  if (process.platform === 'darwin') return darwinStartTime(pid);
  return UNKNOWN_START;
}

/** The arguments a process was started with, null when it does not run or may not be seen. */
export function processArguments(pid: number): readonly string[] | null {
  if (processStartTime(pid) === null) return null;
  if (process.platform === 'linux') {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    } catch {
      return null;
    }
  }
  // ps joins the arguments: callers look for one that is unmistakable as part of the line.
  const line = ps(pid, 'command=');
  return line === null ? null : [line];
}

function hasPid(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, as another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function linuxStartTime(pid: number): string | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // ENOENT while /proc itself is there: it ended since `hasPid`, or hidepid hides it from us.
    return code === 'ENOENT' || code === 'ESRCH' ? null : UNKNOWN_START;
  }
  // The command may hold spaces and parentheses; the fields begin after the last one (proc(5): state is field 3,
  // starttime field 22).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return null;
  return fields[19] ?? UNKNOWN_START;
}

function darwinStartTime(pid: number): string | null {
  const line = ps(pid, 'stat=,lstart=');
  if (line === null || line.startsWith('Z')) return null;
  const startedMs = Date.parse(line.replace(/^\S+\s+/, ''));
  return Number.isNaN(startedMs) ? UNKNOWN_START : String(startedMs / 1000);
}

function ps(pid: number, format: string): string | null {
  const result = spawnSync('/bin/ps', ['-ww', '-p', String(pid), '-o', format], {
    encoding: 'utf8',
    env: { LC_ALL: 'C' },
  });
  const line = result.stdout?.trim() ?? '';
  return line === '' ? null : line;
}
