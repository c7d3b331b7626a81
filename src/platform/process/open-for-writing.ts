import { readdirSync, readFileSync, statSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Which file it is, whatever its name: `dev:ino`, decimal. */
export function fileKey({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}:${ino}`;
}

/** Handles looked at before the event loop turns. */
const STEP = 256;
/** Of open(2): not for reading alone. */
const WRITING = 0o3;

/**
 * Which of these files other processes have open for writing: one sweep through `/proc/PID/fd`. Only what this user may
 * see of other processes is known (root: everything on this machine); nothing is known where there is no `/proc`, of
 * other machines, and of files that are only mapped.
 * @param keys `fileKey` of each
 */
export async function openForWriting(keys: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  if (keys.size === 0 || process.platform !== 'linux') return found;
  let looked = 0;
  for (const pid of listed('/proc')) {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) continue;
    for (const fd of listed(`/proc/${pid}/fd`)) {
      looked += 1;
      if (looked % STEP === 0) await nextTurn();
      const key = keyOf(`/proc/${pid}/fd/${fd}`);
      if (key !== null && keys.has(key) && writes(`/proc/${pid}/fdinfo/${fd}`)) found.add(key);
    }
  }
  return found;
}

/** Nothing where it may not be read, or is gone by now. */
function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function keyOf(handle: string): string | null {
  try {
    const stats = statSync(handle, { bigint: true, throwIfNoEntry: false });
    return stats?.isFile() ? fileKey(stats) : null;
  } catch {
    return null;
  }
}

function writes(info: string): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(info, 'latin1'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & WRITING) !== 0;
  } catch {
    return false;
  }
}
