import { type ChildProcess, spawn } from 'node:child_process';
import { reasonOf } from '../../domain/errors.ts';
import { formatDuration } from '../../platform/units.ts';
import type { CommandTarget } from '../endpoint/endpoint.ts';
import type { AttemptEnd, Send } from './send-attempt.ts';

/** What a program may need of our environment. Everything else may be a token (G5). */
const PASSED_ON =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TMP|TEMP|XDG_\w+|SystemRoot|ComSpec|PATHEXT|USERPROFILE|APPDATA|LOCALAPPDATA)$/;

/**
 * Runs a program per message: the body on stdin, its id in `SLIPWAY_WEBHOOK_ID`; exit code 0 acknowledges. A program
 * that takes too long is killed with everything it has started.
 */
export function commandSender(
  target: CommandTarget,
  options: { readonly timeoutMs: number; readonly env: NodeJS.ProcessEnv },
): Send {
  const [program = '', ...args] = target.command;
  const { timeoutMs } = options;
  const passedOn = Object.entries(options.env).filter(([name]) => PASSED_ON.test(name));

  return ({ id, body }, signal) =>
    new Promise<AttemptEnd>((resolve) => {
      const beganMs = performance.now();
      const failed = (status: number | null, reason: string): AttemptEnd => ({
        ...{ kind: 'failed', status, reason, throttled: false, retryAfterMs: null, excerpt: '' },
        durationMs: performance.now() - beganMs,
      });
      const cannotRun = (error: unknown): AttemptEnd => failed(null, `cannot be run: ${reasonOf(error)}`);
      let child: ChildProcess;
      try {
        // A group of its own: a time-out must also end what the program has started.
        child = spawn(program, args, {
          env: { ...Object.fromEntries(passedOn), SLIPWAY_WEBHOOK_ID: id },
          stdio: ['pipe', 'ignore', 'ignore'],
          detached: process.platform !== 'win32',
          windowsHide: true,
        });
      } catch (error) {
        // Some failures come as an event, others (ENOTDIR, E2BIG) at once.
        resolve(cannotRun(error));
        return;
      }

      const finish = (end: AttemptEnd): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        resolve(end);
      };
      const onAbort = (): void => {
        killGroup(child.pid);
        finish({ kind: 'aborted' });
      };
      const timer = setTimeout(() => {
        killGroup(child.pid);
        finish(failed(null, `no end within ${formatDuration(timeoutMs)}`));
      }, timeoutMs);
      signal.addEventListener('abort', onAbort, { once: true });

      child.on('error', (error) => finish(cannotRun(error)));
      child.on('close', (code, killedBy) => {
        const durationMs = performance.now() - beganMs;
        if (code === 0) finish({ kind: 'acknowledged', status: 0, durationMs, excerpt: '' });
        else finish(failed(code, code === null ? `killed by ${killedBy}` : `exit code ${code}`));
      });
      // A program need not read what it is told. There is no stdin where files or processes ran out: `error` follows.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(body);
    });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // Already gone.
  }
}
