/**
 * The built CLI in the test's own process, for commands that only print and leave: a process of its own costs half a
 * second each. What a command does to a process (signals, a terminal, ending by itself) is for `startCli`.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { ExitCode } from '../../src/cli/exit-codes.ts';
import type { CliResult } from './cli.ts';

const BUILT = fileURLToPath(new URL('../../dist/cli/command-line.js', import.meta.url));
/** Required, not imported: as it was built, with nothing of the test runner's in between. */
const require = createRequire(import.meta.url);

const STDERR = 2;
/** A process has one folder, one environment and one stderr: one command at a time. */
let last: Promise<unknown> = Promise.resolve();

export function runHere(
  args: readonly string[],
  where: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<CliResult> {
  const mine = last.then(() => runAlone(args, where));
  last = mine.catch(() => undefined);
  return mine;
}

async function runAlone(
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<CliResult> {
  const { runCommandLine } = require(BUILT) as {
    runCommandLine(argv: readonly string[]): Promise<ExitCode>;
  };
  const before = { cwd: process.cwd(), env: process.env, exit: process.listeners('exit') };
  // What libraries print goes into the command's log.
  const printing = { ...console };
  const warned = process.listeners('warning');
  const { stdout, stderr } = process;
  const writes = { stdout: stdout.write, stderr: stderr.write, sync: fs.writeSync };
  const out: string[] = [];
  const err: string[] = [];
  process.chdir(cwd);
  process.env = { ...env };
  stdout.write = keep(out);
  stderr.write = keep(err);
  // The log goes to the descriptor.
  fs.writeSync = ((fd: number, ...rest: [string]) => {
    if (fd !== STDERR) return writes.sync(fd, ...rest);
    err.push(String(rest[0]));
    return Buffer.byteLength(rest[0]);
  }) as typeof fs.writeSync;
  try {
    const code = await runCommandLine([process.execPath, 'slipway', ...args]);
    return { code, signal: null, stdout: out.join(''), stderr: err.join('') };
  } finally {
    Object.assign(stdout, { write: writes.stdout });
    Object.assign(stderr, { write: writes.stderr });
    fs.writeSync = writes.sync;
    Object.assign(console, printing);
    process.removeAllListeners('warning');
    for (const listener of warned) process.on('warning', listener);
    process.env = before.env;
    process.chdir(before.cwd);
    for (const listener of process.listeners('exit'))
      if (!before.exit.includes(listener)) process.off('exit', listener);
  }
}

/** Both ways of calling `write` with a callback are used. */
function keep(texts: string[]): typeof process.stdout.write {
  return (text: string | Uint8Array, encoding?: unknown, done?: unknown) => {
    texts.push(typeof text === 'string' ? text : Buffer.from(text).toString('utf8'));
    const callback = typeof encoding === 'function' ? encoding : done;
    if (typeof callback === 'function') queueMicrotask(() => callback());
    return true;
  };
}
