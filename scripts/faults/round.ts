import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Receipt } from '../../src/domain/receipt.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import type { FaultRuleInput } from '../../src/sandbox/trouble/fault-rule.ts';
import { diceOf } from './dice.ts';
import { type Dropper, startDropper } from './dropper.ts';
import { faultLog } from './fault-log.ts';
import { type Fleet, fleetOf, type Mode } from './fleet.ts';
import { startHookReceiver } from './hook-receiver.ts';
import { type KnownVersions, knownVersions } from './known-versions.ts';
import { privateRedisOf } from './private-redis.ts';
import { countResends } from './resends.ts';
import { openRoundPlace, type RoundPlace, SOURCE } from './round-place.ts';
import { serverTrouble } from './server-trouble.ts';
import type { Strike, Target } from './strikes.ts';
import { violationsOf } from './verdict.ts';

export interface RoundOptions {
  readonly seed: number;
  readonly mode: Mode;
  readonly strikes: readonly [Strike, ...Strike[]];
  /** How long faults strike. */
  readonly strikeMs: number;
  /** Longest pause between two strikes. */
  readonly pauseMs: number;
  readonly filesPerSecond: number;
  /** Uploads at once per process, at most. */
  readonly concurrency: number;
  /** The slowest server of any round. */
  readonly maxServiceMs: number;
  readonly say: (line: string) => void;
  /** Ends the round early: everything is cleared away, and it throws. */
  readonly signal?: AbortSignal;
}

export interface RoundResult {
  /** Promises that did not hold; empty when all did. */
  readonly violations: readonly string[];
  readonly files: number;
  readonly receipts: Readonly<Record<string, number>>;
  readonly uploads: number;
  readonly resent: number;
  readonly answersLost: number;
  readonly struck: Readonly<Record<string, number>>;
  /** Events a webhook endpoint has acknowledged. */
  readonly told: number;
  readonly operations: Readonly<Record<string, number>>;
}

/** So that in every round some uploads really have to be repeated. */
const LOST_ANSWERS: FaultRuleInput = {
  api: 'autoglm',
  operation: 'upload',
  action: 'store-then-reset',
  every: 10,
  times: 3,
};
/** Most received files remembered by the server. */
const MAX_FILES = 1_000_000;
/** Longer than any lock, retry or probe of a stopped destination. */
const STANDSTILL_MS = 90_000;
const DRAIN_MS = 240_000;
/** A process may fail to start, or give up, this long after the disk was full or Redis did not answer. */
const EXCUSED_MS = 60_000;

/**
 * One round: files are dropped, faults strike, then they stop and everything must come right: what is promised is
 * compared with what the server stored and what was really on disk.
 */
export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { seed, mode, say } = options;
  const dice = diceOf(seed);
  const sandbox = await openSandbox({
    seed,
    maxFiles: MAX_FILES,
    capacity: { serviceMs: dice.int(0, options.maxServiceMs) },
    faults: [LOST_ANSWERS],
  });
  const hook = await startHookReceiver(diceOf(seed + 1));
  const { url, secret } = hook;
  const place = await openRoundPlace(sandbox, { ...options, hook: { url, secret } });
  const log = faultLog();
  const fleet = fleetOf(mode, place, log);
  const redis = privateRedisOf(place.dataDir);
  const server = serverTrouble(sandbox);
  const known = knownVersions(place.inbox);
  const dropper = startDropper(place.inbox, known, dice.fork(), options.filesPerSecond, fleet.pids);
  const violations: string[] = [];
  let kept = true;

  try {
    fleet.startAll();
    await strikeFor({ fleet, redis, server, place, log, dice: dice.fork() }, options);
    server.clear();
    await dropper.stop();
    options.signal?.throwIfAborted();
    violations.push(...(await comesRight(fleet, place, known, dropper)));
    const receipts = await place.receipts();
    const received = sandbox.received();
    const aftermath = { receipts, received, known, onDisk: dropper.onDisk(), dataDir: place.dataDir };
    violations.push(...(await violationsOf(aftermath)));
    violations.push(...(await hook.violations(place)));
    const answersLost = server.answersLost();
    const resends = countResends({ receipts, received, struck: log.all(), answersLost });
    violations.push(...resends.violations, ...desertions(fleet, log.all()));
    kept = violations.length > 0;
    const byStatus: Record<string, number> = {};
    for (const { status } of receipts) byStatus[status] = (byStatus[status] ?? 0) + 1;
    return {
      violations,
      files: known.count(),
      receipts: byStatus,
      uploads: received.length,
      resent: resends.total,
      answersLost,
      struck: { ...log.tally(), ...sandbox.summary().faults },
      told: hook.count(),
      operations: dropper.tally(),
    };
  } finally {
    await fleet.killAll();
    redis.signal('SIGKILL');
    await sandbox.close();
    await hook.close();
    await place.close(kept);
    if (kept) say(`kept for a look: ${place.folder}`);
  }
}

async function strikeFor(target: Target, options: RoundOptions): Promise<void> {
  const endMs = Date.now() + options.strikeMs;
  const { dice } = target;
  while (Date.now() < endMs) {
    await delay(dice.int(0, options.pauseMs));
    options.signal?.throwIfAborted();
    const strike = dice.weighted(options.strikes);
    options.say(`  ${new Date().toISOString().slice(11, 23)} ${strike.name}`);
    await strike.run(target);
  }
}

/** After the last fault: a fresh file flows, the living processes upload all that is there, and stop in order. */
async function comesRight(
  fleet: Fleet,
  place: RoundPlace,
  known: KnownVersions,
  dropper: Dropper,
): Promise<string[]> {
  const violations: string[] = [];
  fleet.startAll();
  const fresh = await dropper.dropOne();
  const paths = [...dropper.onDisk()];
  const ids = new Set(await Promise.all(paths.map((path) => known.idOnDisk(path))));
  const uploaded = (receipts: readonly Receipt[]): Receipt[] =>
    receipts.filter(({ status }) => status === 'uploaded');
  if (!(await flows(place, (receipts) => uploaded(receipts).some(({ path }) => path === fresh))))
    violations.push(`a fresh file did not flow: ${fresh}`);
  const isComplete = (receipts: readonly Receipt[]): boolean =>
    uploaded(receipts).filter(({ id }) => ids.has(id)).length >= ids.size;
  if (!(await flows(place, isComplete))) violations.push('the living processes did not upload all there is');
  const status = await fleet.command(['status', '--json'], 30_000);
  violations.push(...unbalancedStatus(status));
  const codes = await fleet.stop();
  for (const code of codes) {
    if (code !== 0) violations.push(`a process told to end ended with ${code}`);
  }
  const { code, output } = await fleet.command(['run', '--once', '--log-level', 'info'], DRAIN_MS);
  if (code !== 0) violations.push(`the rest did not drain: exit ${code}`, output.slice(-2_000));
  if (violations.length > 0) violations.push(...(await lastWords(place)));
  return violations;
}

/** However long the backlog: it comes as long as something does. */
async function flows(place: RoundPlace, done: (receipts: readonly Receipt[]) => boolean): Promise<boolean> {
  let count = 0;
  for (let sinceMs = Date.now(); Date.now() - sinceMs < STANDSTILL_MS; await delay(200)) {
    const receipts = await place.receipts();
    if (done(receipts)) return true;
    if (receipts.length > count) sinceMs = Date.now();
    count = receipts.length;
  }
  return false;
}

function unbalancedStatus({ code, output }: { code: number | null; output: string }): string[] {
  if (code !== 0) return [`status ended with ${code}: ${output.slice(-500)}`];
  const status = JSON.parse(output.slice(output.indexOf('{'))) as {
    running: boolean;
    sources: Record<string, unknown>[];
  };
  const source = status.sources.find(({ name }) => name === SOURCE);
  if (!status.running || source === undefined) return ['status shows nothing running'];
  const [discovered, uploaded, failed, skipped, pending] = [
    'discovered',
    'uploaded',
    'failed',
    'skipped',
    'pending',
  ].map((key) => Number(source[key]));
  const sum = Number(uploaded) + Number(failed) + Number(skipped) + Number(pending);
  return discovered === sum ? [] : [`books: ${discovered} discovered, ${sum} accounted for`];
}

/** Nobody may end by himself, but for a start while the disk was full or Redis did not answer. */
function desertions(
  { deserters }: Fleet,
  struck: readonly { readonly name: string; readonly fromMs: number; readonly toMs: number }[],
): string[] {
  return deserters
    .filter(({ atMs }) => {
      const excuses = struck.filter(({ name }) => /disk|Redis|FLUSHALL/.test(name));
      return !excuses.some(({ fromMs, toMs }) => fromMs <= atMs && atMs <= toMs + EXCUSED_MS);
    })
    .map(({ name, code, atMs }) => `${name} ended by itself with ${code} at ${new Date(atMs).toISOString()}`);
}

async function lastWords({ logs }: RoundPlace): Promise<string[]> {
  const names = (await readdir(logs)).sort().slice(-3);
  const texts = await Promise.all(names.map((name) => readFile(join(logs, name), 'utf8')));
  return texts.map((text, index) => `${names[index]}: ${text.slice(-1_500)}`);
}
