import type { Command } from 'commander';
import { acknowledgePublic } from '../../runtime/acknowledgements.ts';
import { openChosen } from '../../runtime/destination-choice.ts';
import { type OnceEnd, type Run, startRun } from '../../runtime/run.ts';
import type { SourcePlan } from '../../runtime/source-plan.ts';
import { ownPathsOf, sourcePlans } from '../../runtime/source-plans.ts';
import { confirmPublic } from '../confirm-public.ts';
import { EXIT, type ExitCode, worstExit } from '../exit-codes.ts';
import { durationFlag } from '../flags.ts';
import { logScreen, type RunScreen, terminalScreen } from '../run-screen.ts';
import { openSession, type SharedFlags, sessionHttp } from '../session.ts';
import { signalLadder } from '../signal-ladder.ts';

interface RunFlags extends SharedFlags {
  readonly to?: string;
  readonly once?: boolean;
  readonly giveUp?: number;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const MINUTE = 60_000;
const GIVE_UP_MS = MINUTE;

/** `slipway run`: everything in one process. */
export function addRunCommand(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('run')
    .alias('watch')
    .description('watch folders, upload what settles in them, write the manifest')
    .argument('[path...]', 'folders to watch; without one, the sources of the config file')
    .option('--to <destination>', 'a configured destination or a preset (for the folders named here)')
    .option('--once', 'upload what is there, then exit')
    .option(
      '--give-up <duration>',
      'with --once: exit 5 when nothing has succeeded for this long (default 60s)',
      durationFlag,
    )
    .option('-y, --yes', 'I know that a public destination makes the files readable by anyone')
    .option('--json', 'print each receipt as a JSON line on stdout')
    .addHelpText(
      'after',
      '\nExamples:\n  slipway run                                   the sources of ./slipway.yaml\n  slipway run ./inbox --to dashscope            one folder, no config file\n  slipway run ./archive --to openai --once      upload what is there, then exit\n',
    )
    .action(async (paths: string[], flags: RunFlags) => {
      done(await run(paths, flags));
    });
}

async function run(paths: readonly string[], flags: RunFlags): Promise<ExitCode> {
  const session = await openSession(flags, paths.length === 0);
  const screen =
    process.stderr.isTTY && flags.json !== true
      ? terminalScreen(process.stderr, process.env)
      : logScreen(session.log);
  const { plans, definitions } = await sourcePlans(paths, flags.to, session);
  const most = definitions.map(({ concurrency }) => (concurrency ?? session.config.worker.concurrency).max);
  const http = sessionHttp(session, Math.max(...most));
  const opened = definitions.map((definition) => ({
    destination: openChosen(definition, { http, env: session.env, log: screen.log }),
    concurrency: definition.concurrency ?? session.config.worker.concurrency,
  }));
  try {
    const { config } = session;
    const ownPaths = ownPathsOf(session, plans);
    await acknowledgePublic(
      opened.map(({ destination }) => destination),
      {
        plans,
        ownPaths,
        dataDir: config.dataDir,
        confirm: (question) => confirmPublic(question, flags.yes === true),
      },
    );
    const running = await startRun({
      plans,
      destinations: opened,
      http,
      dataDir: config.dataDir,
      redis: config.redis,
      maxPending: config.queue.maxPending,
      retry: config.retry,
      ownPaths,
      env: process.env,
      onReceipts(receipts) {
        screen.receipts(receipts);
        if (flags.json === true)
          process.stdout.write(receipts.map((receipt) => `${JSON.stringify(receipt)}\n`).join(''));
      },
      log: screen.log,
    });
    return await follow(running, screen, plans, flags, config.shutdown.drain);
  } catch (error) {
    await http.close();
    throw error;
  } finally {
    screen.end();
  }
}

async function follow(
  running: Run,
  screen: RunScreen,
  plans: readonly SourcePlan[],
  flags: RunFlags,
  drainMs: number,
): Promise<ExitCode> {
  const ladder = signalLadder(
    { drain: () => running.stop(drainMs), cutShort: running.cutShort, say: screen.say },
    drainMs,
  );
  for (const { name, root, destination, manifest } of plans) {
    screen.say(`watching ${root} (source ${name}) → ${destination}; manifest ${manifest}`);
  }
  screen.follow(running.report);
  const over = new AbortController();
  try {
    if (flags.once !== true) return await ladder.ended;
    const once = running.once(flags.giveUp ?? GIVE_UP_MS, over.signal);
    const ended = await Promise.race([ladder.ended, once]);
    if (typeof ended === 'number') return ended;
    const code = onceExit(ended, running);
    if (code !== EXIT.ok) screen.say(onceTrouble(await running.report()));
    await running.stop(drainMs);
    return code;
  } catch (error) {
    await running.stop(drainMs);
    throw error;
  } finally {
    over.abort();
    ladder.release();
  }
}

function onceExit(ends: readonly OnceEnd[], running: Run): ExitCode {
  const codes: ExitCode[] = ends.map((end) =>
    end === 'stopped' ? EXIT.stopped : end === 'gave-up' ? EXIT.temporary : EXIT.ok,
  );
  if (running.recorded().failed > 0) codes.push(EXIT.permanent);
  return worstExit(codes);
}

function onceTrouble(report: Awaited<ReturnType<Run['report']>>): string {
  const failed = report.sources.reduce((sum, { failed: count }) => sum + count, 0);
  const pending = report.sources.reduce((sum, { pending: count }) => sum + count, 0);
  const reasons = report.destinations
    .map(({ failure, lastTrouble }) => failure ?? lastTrouble)
    .filter((text) => text !== null);
  return [`${failed} failed, ${pending} kept for the next run`, ...reasons].join('; ');
}
