import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 2;

/** Whether one of these processes has a file open now. Only Linux says so; elsewhere nobody ever has. */
export function isOpenIn(pids: readonly number[], path: string): boolean {
  return pids.some((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === path);
    } catch {
      // It ended, or closed one, while this looked.
      return false;
    }
  });
}

/** Waits until one of them reads it. @returns false when none did in time */
export async function openedWithin(
  ms: number,
  pids: () => readonly number[],
  path: string,
): Promise<boolean> {
  for (const endMs = Date.now() + ms; Date.now() < endMs; await delay(LOOK_EVERY_MS))
    if (isOpenIn(pids(), path)) return true;
  return false;
}
