import { readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  isProcessAlive,
  type ProcessIdentity,
  processArguments,
  processStartTime,
} from '../../platform/process/process-identity.ts';
import type { Clock } from '../../platform/waiting/clock.ts';
import type { RedisPlace } from './embedded-redis-place.ts';
import { redisServerPid } from './embedded-redis-probe.ts';

const POLL_MS = 20;
/** A record is created and written in two steps, microseconds apart. */
const BEING_WRITTEN_MS = 1_000;

/** The server on record, if that very process runs; a pid that now belongs to another program is none. */
export function recordedServer(place: RedisPlace): ProcessIdentity | null {
  let text: string;
  try {
    text = readFileSync(place.pidFile, 'utf8');
  } catch {
    return null;
  }
  return ownServer(place, Number(text.trim()));
}

/** The server on record, else the one that answers; the record is mended so that the next look needs no answer. */
export async function identifyServer(
  place: RedisPlace,
  socketPath: string,
  timeoutMs: number,
): Promise<ProcessIdentity | null> {
  const recorded = recordedServer(place);
  if (recorded !== null) return recorded;
  const pid = await redisServerPid(socketPath, timeoutMs);
  const server = pid === null ? null : ownServer(place, pid);
  if (server !== null) writeFileSync(place.pidFile, `${server.pid}\n`, { mode: 0o600 });
  return server;
}

/**
 * Makes room for a new record. false: a server of a starter that died has just put itself on record; look again.
 * A record that is there cannot be replaced by anyone but the holder of the lock, so what was read is what is removed;
 * one that is not there must be left alone, since it may appear this very moment.
 */
export function clearRecord(place: RedisPlace, nowMs: number): boolean {
  let text: string;
  try {
    text = readFileSync(place.pidFile, 'utf8').trim();
    if (text === '' && nowMs - statSync(place.pidFile).mtimeMs < BEING_WRITTEN_MS) return false;
  } catch {
    return true;
  }
  if (ownServer(place, Number(text)) !== null) return false;
  unlinkSync(place.pidFile);
  return true;
}

/** SIGTERM (it saves and leaves), after `timeoutMs` SIGKILL. */
export async function endServer(server: ProcessIdentity, clock: Clock, timeoutMs: number): Promise<void> {
  for (const name of ['SIGTERM', 'SIGKILL'] as const) {
    const deadline = clock.monotonicMs() + timeoutMs;
    signalServer(server, name);
    while (isProcessAlive(server) && clock.monotonicMs() < deadline) await sleep(POLL_MS);
  }
}

/** To that very process only: its pid may already be another's. */
export function signalServer(server: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isProcessAlive(server)) return;
  try {
    process.kill(server.pid, name);
  } catch {
    // It ended by itself meanwhile.
  }
}

export function identityOf(pid: number): ProcessIdentity {
  return { pid, startTime: processStartTime(pid) ?? '' };
}

/** Our server carries our configuration file in its arguments (`set-proc-title no` keeps them there). */
function ownServer(place: RedisPlace, pid: number): ProcessIdentity | null {
  const isOurs = processArguments(pid)?.some((argument) => argument.includes(place.configFile)) ?? false;
  return isOurs ? identityOf(pid) : null;
}
