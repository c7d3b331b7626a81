import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { RivalResult, RivalTask } from './rival.ts';
import type { ServerProcess } from './server-process.ts';

const exec = promisify(execFile);

export interface LoopResult {
  /** From the first request at the server to the last answer read. */
  readonly windowMs: number;
  readonly files: number;
  /** Microseconds of processor time, the whole process; NaN where nobody counted. */
  readonly totalCpuMicros: number;
}

/** Runs a bare loop in a process of its own. */
export async function runLoop(
  script: 'fetch-loop' | 'undici-loop',
  task: Omit<RivalTask, 'uploadUrl'> & { readonly server: ServerProcess },
): Promise<LoopResult> {
  const { folder, concurrency, server } = task;
  const told: RivalTask = { folder, concurrency, uploadUrl: server.uploadUrl };
  const child = spawn(process.execPath, [pathOf(`${script}.ts`), JSON.stringify(told)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${script} ended with ${code}`);
  const { files, endedAtMs, cpuMicros } = JSON.parse(text) as RivalResult;
  const { firstAtMs } = await server.stats();
  return { windowMs: endedAtMs - firstAtMs, files, totalCpuMicros: cpuMicros };
}

/** How a machine runs the one-file script. */
export interface Interpreter {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** Python where there is one (the interpreter itself: a version manager's shim would cost as much again), else Node. */
export async function scriptInterpreter(): Promise<Interpreter> {
  try {
    const code = 'import sys; print(sys.executable); print(sys.version.split()[0])';
    const [command = '', version = ''] = (await exec('python3', ['-c', code])).stdout.split('\n');
    return { name: `python ${version}`, command, args: [pathOf('one-file.py')] };
  } catch {
    return {
      name: `node ${process.versions.node}`,
      command: process.execPath,
      args: [pathOf('one-file.ts')],
    };
  }
}

/** The original way: one process after the other, as a shell loop over a folder runs it. */
export async function runOnePerFile(
  interpreter: Interpreter,
  folder: string,
  files: number,
  server: ServerProcess,
): Promise<LoopResult> {
  const beganMs = performance.now();
  for (const name of readdirSync(folder).slice(0, files)) {
    await exec(interpreter.command, [
      ...interpreter.args,
      server.tokenUrl,
      server.uploadUrl,
      join(folder, name),
    ]);
  }
  return { windowMs: performance.now() - beganMs, files, totalCpuMicros: Number.NaN };
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(`.//${name}`, import.meta.url));
}
