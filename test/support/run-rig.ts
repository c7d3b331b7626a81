/** The whole runtime in this process: real folders, a real Redis of its own, a real server to upload to. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { DestinationDefinition } from '../../src/destinations/definition/definition.ts';
import { openDestination } from '../../src/destinations/open-destination.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import { intakeOptionsSchema } from '../../src/intake/options.ts';
import { journalPathOf } from '../../src/ledger/journal/manifest-journal.ts';
import { concurrencySchema } from '../../src/pacing/options.ts';
import { type HttpClient, openHttpClient } from '../../src/platform/http/http-client.ts';
import { recordOptionsSchema } from '../../src/record/options.ts';
import { withOwner } from '../../src/runtime/owner/owner-request.ts';
import type { SourcePlan } from '../../src/runtime/plans/source-plan.ts';
import { type Run, type RunFacts, startRun } from '../../src/runtime/run.ts';
import { type RetryOptions, retrySchema } from '../../src/upload/options.ts';
import { rememberingLog } from './record-rig.ts';
import { startTestRedis, type TestRedis } from './redis-server.ts';

export interface RunRigOptions {
  readonly definition: DestinationDefinition;
  /** Names of the sources, each a folder; one `inbox` unless said otherwise. */
  readonly sources?: readonly string[];
  /** Uploads at once: always so many. */
  readonly atOnce?: number;
  /** Longest wait for an answer, milliseconds; a minute unless said otherwise. */
  readonly responseTimeoutMs?: number;
  /** Instead of `atOnce`, as it is written in the config. */
  readonly concurrency?: object;
  readonly retry?: Partial<RetryOptions>;
  /** What the sources want different. */
  readonly source?: Partial<SourcePlan>;
  /** Where the manifests are; beside the folders unless said otherwise. */
  readonly manifestFolder?: string;
  /** Pause before a stopped destination is tried again, milliseconds. */
  readonly probeMs?: number;
  /** Who is told what is recorded. */
  readonly telling?: NonNullable<RunFacts['telling']>;
  /** What the run gets besides. */
  readonly facts?: Partial<RunFacts>;
  /** Stands before every reading of a token. */
  readonly aroundToken?: (read: HttpClient['fetchText']) => HttpClient['fetchText'];
}

export interface RunRig {
  readonly redis: TestRedis;
  readonly log: ReturnType<typeof rememberingLog>;
  readonly dataDir: string;
  /** Absolute path of a source's folder. */
  root(source?: string): string;
  /** Puts a file into a source's folder. */
  file(name: string, content?: string, source?: string): void;
  /** So many small files, `0.txt` and on, each with a content of its own. */
  files(count: number, source?: string): void;
  /** The plan of a source, as the run gets it. */
  plan(source?: string): SourcePlan;
  /** From the next start on, files go there. */
  use(definition: DestinationDefinition): void;
  /** Starts the run; one at a time, unless they have different roles. */
  start(change?: Partial<RunFacts>): Promise<Run>;
  /** Every whole line of a source's journal. */
  receipts(source?: string): Receipt[];
}

const ENV = { DASHSCOPE_API_KEY: 'sk-dashscope', OPENAI_API_KEY: 'sk-openai' };

/** Everything is gone when the test ends; a run that is still there is stopped first. */
export async function runRig(options: RunRigOptions): Promise<RunRig> {
  const base = mkdtempSync(join(tmpdir(), 'sw-run-'));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  const redis = await startTestRedis();
  onTestFinished(() => redis.close());
  const log = rememberingLog();
  const { sources = ['inbox'], atOnce = 8, manifestFolder = base } = options;
  const plans = sources.map((name) => ({
    ...planOf(name, base, manifestFolder, options.definition.name),
    ...options.source,
  }));
  for (const { root } of plans) mkdirSync(root);

  function plan(source = 'inbox'): SourcePlan {
    const found = plans.find(({ name }) => name === source);
    if (found === undefined) throw new Error(`no source ${source}`);
    return found;
  }

  function file(name: string, content = `content of ${name}`, source = 'inbox'): void {
    const path = join(plan(source).root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }

  let { definition } = options;

  async function start(change: Partial<RunFacts> = {}): Promise<Run> {
    const http = openHttpClient({
      connectTimeoutMs: 5_000,
      // No test waits for these: longer than any of them holds an answer back, on whatever machine.
      responseTimeoutMs: options.responseTimeoutMs ?? 60_000,
      idleTimeoutMs: 60_000,
      connectionsPerOrigin: atOnce + 4,
      caFile: null,
      proxies: { http: null, https: null, no: null },
    });
    const { aroundToken = (read) => read } = options;
    const destination = openDestination(definition, {
      fetchText: aroundToken(http.fetchText),
      log,
      now: Date.now,
      random: Math.random,
      env: ENV,
    });
    const facts: RunFacts = {
      roles: ['intake', 'worker'],
      plans,
      destinations: [
        {
          destination,
          concurrency: concurrencySchema.parse(
            options.concurrency ?? { initial: atOnce, max: atOnce, adaptive: false },
          ),
          rate: options.definition.rate,
        },
      ],
      http,
      dataDir: join(base, 'data'),
      redis: { url: redis.socketPath, prefix: 'slipway' },
      maxPending: 10_000,
      retry: { ...retrySchema.parse(undefined), ...options.retry },
      ownPaths: [],
      env: process.env,
      onReceipts() {},
      log,
      ...(options.telling === undefined ? {} : { telling: options.telling }),
      ...(options.probeMs === undefined
        ? {}
        : { probe: { firstMs: options.probeMs, lastMs: options.probeMs } }),
      ...options.facts,
      ...change,
    };
    const run = await startRun(facts);
    onTestFinished(async () => void (await run.stop(2_000)));
    return run;
  }

  return {
    redis,
    dataDir: join(base, 'data'),
    log,
    root: (source) => plan(source).root,
    file,
    files(count, source) {
      for (let index = 0; index < count; index += 1)
        file(`${index}.txt`, `content ${index} of ${source ?? 'inbox'}`, source);
    },
    plan,
    use(given) {
      definition = given;
    },
    start,
    receipts: (source) => wholeLines(journalPathOf(plan(source).manifest)),
  };
}

function planOf(name: string, base: string, manifestFolder: string, destination: string): SourcePlan {
  const root = join(base, name);
  const { path: _path, settle = 50, ...intake } = intakeOptionsSchema.parse({ path: root, settle: '50ms' });
  const record = recordOptionsSchema.parse({});
  return {
    ...intake,
    settle,
    ...record,
    name,
    root,
    destination,
    manifest: join(manifestFolder, `${name}.manifest.json`),
  };
}

/** The last line may be half-written while a test reads. */
function wholeLines(path: string): Receipt[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Receipt);
}

/** A recorded file of `inbox` is to be sent again by the next run; nobody runs now. */
export async function askAgain(rig: RunRig, path: string): Promise<void> {
  const { dataDir, log } = rig;
  const place = { dataDir, redis: { url: rig.redis.socketPath, prefix: 'slipway' }, log };
  const request = { kind: 'send-again', name: { path }, batch: null, to: null, mark: null, from: 0 } as const;
  await withOwner<'send-again'>({ name: 'inbox', plan: rig.plan() }, request, place);
}
