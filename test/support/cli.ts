/** The built CLI as a user's shell runs it: a process of its own, judged by its exit code and what it prints. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { vi } from 'vitest';
import { BUILT_CLI } from './built-cli.ts';

export interface CliResult {
  /** null: a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** What it reads on stdin; nothing by default. */
  readonly input?: string | Buffer;
  /** stdin stays open for `type`. */
  readonly interactive?: boolean;
  /** Runs it through another program (`setpriv …`, `script …`), which gets the command line appended. */
  readonly through?: (command: readonly string[]) => readonly string[];
}

export interface RunningCli {
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Keys, as at a keyboard. */
  type(keys: string): void;
  /** Resolves once it has printed this text, on stderr or stdout. Rejects when the process ends, or a while passes, without it. */
  said(text: string): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** As Ctrl-C at a terminal does: the whole process group gets it. */
  signalGroup(name: NodeJS.Signals): void;
  hasEnded(): boolean;
  readonly ended: Promise<CliResult>;
}

const SAID_WITHIN_MS = 90_000;

/** Starts it in a process group of its own, so that signals to it never reach the test run. */
export function startCli(args: readonly string[], options: CliOptions): RunningCli {
  const command = [process.execPath, BUILT_CLI, ...args];
  const [program = '', ...rest] = options.through?.(command) ?? command;
  const child: ChildProcess = spawn(program, rest, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: [options.input === undefined && options.interactive !== true ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} could not be started`);
  // A process that leaves before it has read everything is no error here.
  child.stdin?.on('error', () => undefined);
  if (options.interactive !== true) child.stdin?.end(options.input);
  const out = collected(child.stdout);
  const err = collected(child.stderr);
  const ended = once(child, 'close').then(([code, signal]): CliResult => {
    return { code, signal, stdout: out(), stderr: err() };
  });
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    pid,
    stdout: out,
    stderr: err,
    ended,
    hasEnded,
    type: (keys) => void child.stdin?.write(keys),
    async said(text) {
      const printed = (): string => err() + out();
      const look = (): void => {
        if (!printed().includes(text) && !hasEnded()) throw new Error(`not said yet: ${text}\n${printed()}`);
      };
      await vi.waitFor(look, { timeout: SAID_WITHIN_MS, interval: 20 });
      if (!printed().includes(text)) throw new Error(`ended without saying: ${text}\n${printed()}`);
    },
    signal: (name) => void child.kill(name),
    signalGroup(name) {
      if (!hasEnded()) process.kill(-pid, name);
    },
  };
}

/** What is common to every message a user gets: one line that says what to do, no stack trace. */
export function errorLine(result: CliResult): string {
  const lines = result.stderr.trimEnd().split('\n');
  const [line = ''] = lines.filter((text) => text.startsWith('slipway: '));
  if (lines.length !== 1 || line === '') throw new Error(`not one error line:\n${result.stderr}`);
  return line;
}

/** The JSON lines of a log on stderr. Throws when a line is anything else. */
export function logLines(stderr: string): { readonly level: number; readonly msg: string }[] {
  return stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { level: number; msg: string });
}

export const STACK_TRACE = /^\s+at .*(?:\.js|\.ts|node:)/m;

function collected(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}
