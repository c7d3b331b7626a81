/** A folder in which one test lives as a user would: home, config, inbox and data in it, nothing outside it. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import type { Receipt } from '../../src/domain/receipt.ts';
import { withoutSum } from '../../src/ledger/journal/line-sum.ts';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';
import { type CliOptions, type CliResult, type RunningCli, startCli } from './cli.ts';
import { runHere } from './cli-here.ts';

export interface Workplace {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  path(...names: string[]): string;
  /** Writes slipway.yaml (JSON is YAML). */
  config(config: object): Promise<void>;
  /** Writes a file, its folders made. */
  file(name: string, content: string | Buffer): Promise<void>;
  start(args: readonly string[], options?: Partial<CliOptions>): RunningCli;
  /** Runs it to its end. */
  run(args: readonly string[], options?: Partial<CliOptions>): Promise<CliResult>;
  /** The same of a command that only prints and leaves, in this process. */
  read(args: readonly string[], options?: { readonly env?: NodeJS.ProcessEnv }): Promise<CliResult>;
  /** Every whole line of the inbox's journal. */
  receipts(journal?: string): Promise<Receipt[]>;
  /** Resolves once the journal holds this many lines. */
  recorded(count: number): Promise<Receipt[]>;
  /** Pids of the private Redis servers of this folder. */
  redisServers(): number[];
}

/** The lock of a killed worker lasts half a minute, and is looked for as often. */
const RECORDED_WITHIN_MS = 150_000;

/** Ends with the test: processes, private Redis, folder. A test that passed but left one running fails. */
export async function newWorkplace(): Promise<Workplace> {
  // Short: the private Redis's socket shall fit into the data folder.
  const folder = await realpath(await mkdtemp('/tmp/sw-e2e-'));
  const started: RunningCli[] = [];
  const env = cleanEnvironment(folder);
  await mkdir(join(folder, 'home'));
  await mkdir(join(folder, 'inbox'));

  onTestFinished(async ({ task }) => {
    const running = started.filter((cli) => !cli.hasEnded());
    for (const cli of running) cli.signalGroup('SIGKILL');
    await Promise.all(running.map(({ ended }) => ended));
    const servers = redisServersOf(folder);
    for (const pid of servers) process.kill(pid, 'SIGKILL');
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    if (task.result?.state === 'fail') return;
    if (running.length > 0) throw new Error(`${running.length} processes were left running`);
    if (servers.length > 0)
      throw new Error(`a private redis-server was left running (${servers.join(', ')})`);
  });

  const path = (...names: string[]): string => join(folder, ...names);
  const receipts = async (journal = path('inbox.manifest.jsonl')): Promise<Receipt[]> => {
    const text = await readFile(journal, 'utf8').catch(() => '');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
    return whole.filter((line) => line !== '').map((line) => JSON.parse(withoutSum(line)) as Receipt);
  };
  const start: Workplace['start'] = (args, options = {}) => {
    const cli = startCli(args, { cwd: folder, env, ...options });
    started.push(cli);
    return cli;
  };
  return {
    folder,
    env,
    path,
    start,
    receipts,
    config: (config) => writeFile(path('slipway.yaml'), JSON.stringify(config)),
    async file(name, content) {
      await mkdir(join(path(name), '..'), { recursive: true });
      await writeFile(path(name), content);
    },
    run: (args, options) => start(args, options).ended,
    read: (args, options = {}) => runHere(args, { cwd: folder, env, ...options }),
    recorded: (count) =>
      vi.waitFor(
        async () => {
          const found = await receipts();
          if (found.length < count) throw new Error(`${found.length} of ${count} receipts`);
          return found;
        },
        { timeout: RECORDED_WITHIN_MS, interval: 20 },
      ),
    redisServers: () => redisServersOf(folder),
  };
}

/** The sandbox's AutoGLM API as a destination. */
export function sandboxDestination({ autoglmUrl, tokenUrl }: Sandbox, more: object = {}): object {
  return { preset: 'autoglm', url: autoglmUrl, token: { url: tokenUrl }, ...more };
}

/** A config with the inbox as its one source. */
export function inboxConfig(
  destination: object,
  more: { source?: object; [key: string]: unknown } = {},
): object {
  const { source, ...rest } = more;
  return {
    dataDir: './data',
    destinations: { demo: destination },
    sources: { inbox: { path: './inbox', destination: 'demo', settle: '300ms', ...source } },
    ...rest,
  };
}

/** What a shell of a user without any settings has; the cache of compiled code (`vitest.config.ts`) is Node's affair. */
function cleanEnvironment(folder: string): NodeJS.ProcessEnv {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  return {
    PATH,
    HOME: join(folder, 'home'),
    XDG_STATE_HOME: join(folder, 'home', 'state'),
    TMPDIR: '/tmp',
    LANG: 'C.UTF-8',
    TERM: 'xterm',
    NODE_COMPILE_CACHE,
  };
}

/** The configuration file of a private server lies in its data folder, and its path is among its arguments. */
function redisServersOf(folder: string): number[] {
  const lines = execFileSync('ps', ['-Awwo', 'pid=,command='], { encoding: 'utf8' }).split('\n');
  return lines
    .filter((line) => line.includes(`${folder}/`) && /(?:redis|valkey)-server/.test(line))
    .map((line) => Number.parseInt(line, 10));
}
