import { spawn } from 'node:child_process';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { formatDuration } from '../../platform/units.ts';

export interface TokenCommand {
  /** Program and arguments; one text when it goes through the shell. */
  readonly command: string | readonly string[];
  readonly timeoutMs: number;
  /** Program name for messages: arguments may be secret. */
  readonly where: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A token is some KiB at most; a program that prints more is not printing a token. */
const MAX_OUTPUT_BYTES = 64 * 1024;

/**
 * Runs the command and returns what it prints on stdout. Its stderr is thrown away: it may hold secrets.
 * Throws `token_command_failed` when it cannot be run, fails, prints too much or takes too long (it is then killed
 * with everything it started); the signal's reason when aborted.
 */
export function runTokenCommand(options: TokenCommand, signal: AbortSignal): Promise<string> {
  const { command, where, timeoutMs } = options;
  const [program, args, shell] =
    typeof command === 'string' ? [command, [], true] : [command[0] ?? '', command.slice(1), false];
  const fail = (reason: string): SlipwayError => new SlipwayError('token_command_failed', { where, reason });

  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    // A group of its own: a time-out must also end what the program has started.
    const child = spawn(program, args, {
      shell,
      env: options.env,
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    const chunks: Buffer[] = [];
    let bytes = 0;

    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const stop = (error: unknown): void => {
      killGroup(child.pid);
      child.stdout.destroy();
      finish(() => reject(error));
    };
    const onAbort = (): void => stop(signal.reason);
    const timer = setTimeout(() => stop(fail(`no end within ${formatDuration(timeoutMs)}`)), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });

    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > MAX_OUTPUT_BYTES) stop(fail(`it prints more than ${MAX_OUTPUT_BYTES} bytes`));
    });
    child.on('error', (error) => finish(() => reject(fail(reasonOf(error)))));
    child.on('close', (code, killedBy) =>
      finish(() =>
        code === 0
          ? resolve(Buffer.concat(chunks).toString('utf8'))
          : reject(fail(code === null ? `killed by ${killedBy}` : `exit code ${code}`)),
      ),
    );
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
