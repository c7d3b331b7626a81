/** Root reads and writes everything: whatever is about permissions runs as nobody then. */
import { execFileSync } from 'node:child_process';

export const NOBODY = 65_534;
const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
const isRoot = process.getuid?.() === 0;

/** Whether a test may run as a user that permissions bind. */
export function canBeBound(): boolean {
  if (!isRoot) return true;
  try {
    const [program = '', ...args] = [...AS_NOBODY, process.execPath, '--version'];
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A command line of that user, and the folder made his. */
export function boundUser(folder: string): {
  readonly uid: number;
  readonly through: (command: readonly string[]) => readonly string[];
} {
  if (isRoot) execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, folder]);
  return {
    uid: isRoot ? NOBODY : (process.getuid?.() ?? 0),
    through: (command) => (isRoot ? [...AS_NOBODY, ...command] : command),
  };
}
