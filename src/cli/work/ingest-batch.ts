import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import type { ZipNames } from '../../domain/batch-source.ts';
import type { DestinationWords } from '../../domain/destination-words.ts';
import { acknowledgeBatch } from '../../operations/control/acknowledgements.ts';
import { type Ingest, startIngest } from '../../operations/ingest/ingest.ts';
import {
  destinationsOfBatch,
  forgetLists,
  type IngestPlan,
  journalPathsOf,
  keepBatch,
  planIngest,
  planOfBatch,
  withMeta,
} from '../../operations/ingest/ingest-plan.ts';
import { type IngestPreview, previewPart } from '../../operations/ingest/ingest-preview.ts';
import { type Composition, compose } from '../../runtime/compose.ts';
import { withWords } from '../../runtime/plans/said-destination.ts';
import { forgetNewSources, ownPathsOf } from '../../runtime/plans/source-plans.ts';
import { EXIT, type ExitCode, exitCodeOf, worstExit } from '../exit-codes.ts';
import { type IngestScreen, logIngestScreen, terminalIngestScreen } from '../screen/ingest-screen.ts';
import { jsonLine } from '../screen/json-line.ts';
import { print } from '../screen/output.ts';
import { openSession, type Session, type SharedFlags } from '../session.ts';
import { ladderOf, type SignalLadder } from '../signal-ladder.ts';
import { confirmPublic } from './confirm-public.ts';
import { type DestinationFlags, wordsWithTo } from './destination-flags.ts';
import { ingestOutcome, outcomeLines, previewLines, resumeLine } from './ingest-outcome.ts';
import { givenMeta, type MetaFlags } from './meta-flags.ts';
import { withSettledNames } from './settled-names.ts';
import { configuredDestinations, withSandbox } from './trial-sandbox.ts';

export interface IngestFlags extends SharedFlags, MetaFlags, DestinationFlags {
  readonly to?: string;
  readonly source?: string;
  readonly filesFrom?: string;
  /** `-0`. */
  readonly nul?: boolean;
  readonly detach?: boolean;
  readonly dryRun?: boolean;
  readonly resume?: string;
  readonly manifest?: string;
  readonly zipNames?: ZipNames;
  /** Milliseconds. */
  readonly giveUp?: number;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const GIVE_UP_MS = 60_000;

/**
 * Sends one batch to its end, or hands it to a process in the background.
 * @returns the exit code of contract §7
 */
export async function ingestBatch(paths: readonly string[], flags: IngestFlags): Promise<ExitCode> {
  const words = wordsWithTo(flags);
  const read = await openSession(flags, flags.source !== undefined);
  const opened = await withSettledNames(read, flags.dryRun === true ? [] : ['intake', 'worker'], {
    paths,
    source: flags.source ?? (paths.length === 0 ? '' : undefined),
  });
  const meant =
    flags.resume === undefined
      ? [flags.to, ...(flags.to === undefined ? configuredDestinations(opened) : [])]
      : await destinationsOfBatch(flags.resume, opened);
  return await withSandbox(opened, meant, (session) =>
    ingestIn(withWords(session, flags.to, words), paths, flags, words),
  );
}

async function ingestIn(
  session: Session,
  paths: readonly string[],
  flags: IngestFlags,
  words: DestinationWords | null,
): Promise<ExitCode> {
  const { config, log } = session;
  const planned =
    flags.resume === undefined
      ? await planIngest(
          {
            ...{ paths, to: flags.to, source: flags.source, filesFrom: flags.filesFrom },
            ...{ nul: flags.nul === true, manifest: flags.manifest, zipNames: flags.zipNames, words },
            ...{ input: process.stdin, cwd: process.cwd(), nowMs: Date.now() },
          },
          session,
        )
      : await planOfBatch(flags.resume, session);
  const roots = planned.plans.map(({ root }) => root);
  const plan = await withMeta(planned, await givenMeta(flags, roots), config.dataDir);
  const ownPaths = [...ownPathsOf(session, plan.plans), ...journalPathsOf(plan.spec)];
  const preview = (): Promise<IngestPreview[]> => previewOf(plan, session, ownPaths);
  if (flags.dryRun === true) {
    try {
      return await showPreview(await preview(), flags);
    } finally {
      await forgetLists(plan.spec);
      await forgetNewSources();
    }
  }

  const screen =
    process.stderr.isTTY && flags.json !== true
      ? terminalIngestScreen(process.stderr, process.env)
      : logIngestScreen(log);
  try {
    return await send(plan, { session, ownPaths, preview, flags, screen });
  } finally {
    screen.end();
  }
}

async function send(
  plan: IngestPlan,
  means: {
    readonly session: Session;
    readonly ownPaths: readonly string[];
    readonly preview: () => Promise<IngestPreview[]>;
    readonly flags: IngestFlags;
    readonly screen: IngestScreen;
  },
): Promise<ExitCode> {
  const { session, ownPaths, preview, flags, screen } = means;
  const { config } = session;
  const { spec, plans, definitions } = plan;
  const composed = compose(session, definitions, { log: screen.log });
  let sentBytes = 0;
  try {
    for (const { destination } of composed.destinations) {
      await acknowledgeBatch(destination, {
        count: async () => totalOf((await preview()).filter((part) => part.destination === destination.name)),
        dataDir: config.dataDir,
        confirm: (question) => confirmPublic(question, flags.yes === true),
      });
    }
    if (flags.detach === true) {
      await composed.http.close();
      return await detach(plan, session, flags);
    }
    // Who has read its id can go on with it, whatever happens.
    await keepBatch(plan, config.dataDir);
    screen.say(`batch ${spec.batch} (${resumeLine(spec.batch)})`);
    // A start that failed has closed what it was given.
    const parts = [composed];
    const next = (): Composition => parts.pop() ?? compose(session, definitions, { log: screen.log });
    const starting = startIngest(spec, () => ({
      ...next().run(plans, ['intake', 'worker']),
      ownPaths,
      onReceipts(receipts) {
        for (const { status, bytes } of receipts) if (status === 'uploaded') sentBytes += bytes;
        screen.receipts(receipts);
        if (flags.json === true) process.stdout.write(receipts.map((receipt) => jsonLine(receipt)).join(''));
      },
    }));
    const drainMs = config.shutdown.drain;
    const ladder = ladderOf(starting, drainMs, screen.say);
    try {
      const running = await starting;
      screen.follow(async () => ({
        parts: running.progress(),
        report: await running.report(),
        sentBytes,
      }));
      return await follow(running, spec.batch, { ladder, screen, flags, drainMs });
    } finally {
      ladder.release();
    }
  } catch (error) {
    await composed.http.close();
    throw error;
  }
}

async function follow(
  running: Ingest,
  batch: string,
  means: {
    readonly ladder: SignalLadder;
    readonly screen: IngestScreen;
    readonly flags: IngestFlags;
    readonly drainMs: number;
  },
): Promise<ExitCode> {
  const { ladder, screen, flags, drainMs } = means;
  for (const source of running.handedOver)
    screen.say(`source ${source} is worked on by a running process: it does this batch`);
  const over = new AbortController();
  try {
    const once = running.once(flags.giveUp ?? GIVE_UP_MS, over.signal).catch((error: unknown) => {
      // What a signal ended did not fail.
      if (ladder.came() === EXIT.ok) throw error;
      return ladder.ended;
    });
    // Of the loser of the race nobody hears any more.
    once.catch(() => undefined);
    const ended = await Promise.race([once, ladder.ended, running.dead]);
    if (!Array.isArray(ended)) {
      if (ended === undefined) await running.stop(drainMs);
      screen.say(resumeLine(batch));
      const failure = running.failure();
      // What is under way was finished in order, and still a signal has cut the batch short.
      return typeof ended === 'number' && ended !== EXIT.ok
        ? ended
        : failure === null
          ? ladder.came()
          : exitCodeOf(failure);
    }
    const parts = running.progress();
    await running.stop(drainMs);
    const failure = running.failure();
    const outcome = ingestOutcome(batch, parts, ended);
    const exitCode = worstExit([outcome.exitCode, failure === null ? EXIT.ok : exitCodeOf(failure)]);
    for (const line of outcomeLines(outcome)) screen.say(line);
    if (outcome.state === 'incomplete') screen.say(resumeLine(batch));
    if (flags.json === true) await print(jsonLine({ ...outcome, exitCode }));
    return exitCode;
  } catch (error) {
    await running.stop(drainMs);
    screen.say(resumeLine(batch));
    throw error;
  } finally {
    over.abort();
  }
}

/** The same batch in a process of its own session: it outlives the terminal. */
async function detach(plan: IngestPlan, session: Session, flags: IngestFlags): Promise<ExitCode> {
  const { spec } = plan;
  const { logFile } = await keepBatch(plan, session.config.dataDir);
  const log = openSync(logFile, 'a', 0o600);
  const [node = process.execPath, script = ''] = process.argv;
  const shared = [
    ...(flags.config === undefined ? [] : ['--config', flags.config]),
    ...(flags.logLevel === undefined ? [] : ['--log-level', flags.logLevel]),
    ...(flags.giveUp === undefined ? [] : ['--give-up', `${flags.giveUp}ms`]),
    ...(flags.yes === true ? ['--yes'] : []),
  ];
  const command = [...process.execArgv, script, 'ingest', '--resume', spec.batch, ...shared];
  const child = spawn(node, command, { detached: true, stdio: ['ignore', log, log] });
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  child.unref();
  const { batch } = spec;
  if (flags.json === true) await print(jsonLine({ batch, pid: child.pid, log: logFile }));
  else {
    const lines = [
      `batch ${batch} goes on in the background as process ${child.pid}`,
      `  follow it: slipway status --watch, or slipway ingest --resume ${batch}`,
      `  its log: ${logFile}`,
    ];
    await print(`${lines.join('\n')}\n`);
  }
  return EXIT.ok;
}

async function previewOf(
  plan: IngestPlan,
  loaded: Session,
  ownPaths: readonly string[],
): Promise<IngestPreview[]> {
  const { signal } = new AbortController();
  const previews: IngestPreview[] = [];
  for (const part of plan.spec.parts)
    previews.push(await previewPart(part, plan, { loaded, ownPaths, log: loaded.log, signal }));
  return previews;
}

async function showPreview(previews: readonly IngestPreview[], flags: IngestFlags): Promise<ExitCode> {
  if (flags.json === true) await print(previews.map((one) => jsonLine(one)).join(''));
  else await print(`${previewLines(previews).join('\n')}\n`);
  return EXIT.ok;
}

function totalOf(previews: readonly IngestPreview[]): { files: number; bytes: number } {
  return {
    files: previews.reduce((sum, { files }) => sum + files, 0),
    bytes: previews.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
