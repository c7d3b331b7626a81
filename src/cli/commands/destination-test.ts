import { performance } from 'node:perf_hooks';
import type { Command } from 'commander';
import { resolveDestination } from '../../destinations/definition/resolve-destination.ts';
import { acknowledgeDirect } from '../../operations/control/acknowledgements.ts';
import { type TrialStep, tryDestination } from '../../operations/remote/destination-trial.ts';
import { openHttpClient } from '../../platform/http/http-client.ts';
import { httpOptions } from '../../runtime/compose.ts';
import {
  chooseDestination,
  openChosen,
  waitsUntilReady,
  writtenDestination,
} from '../../runtime/plans/destination-choice.ts';
import { withWords } from '../../runtime/plans/said-destination.ts';
import { EXIT, type ExitCode, exitCodeOfKind, worstExit } from '../exit-codes.ts';
import { jsonLine } from '../screen/json-line.ts';
import { print } from '../screen/output.ts';
import { type Paint, paintFor, printable } from '../screen/terminal.ts';
import { openSession, type Session, type SharedFlags } from '../session.ts';
import { confirmPublic } from '../work/confirm-public.ts';
import { addDestinationOptions, type DestinationFlags, wordsOf } from '../work/destination-flags.ts';
import { withSandbox } from '../work/trial-sandbox.ts';

interface TrialFlags extends SharedFlags, DestinationFlags {
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `slipway destinations test`. */
export function addDestinationTest(destinations: Command, done: (code: ExitCode) => void): void {
  addDestinationOptions(destinations.command('test'))
    .description(
      'send one tiny file the whole way: token, signature, upload, readiness, and delete where the API can',
    )
    .argument('<name>', 'a destination of the config file, or a preset')
    .option('-y, --yes', 'I know that a public destination makes the file readable by anyone')
    .option('--json', 'print {"destination", "ok", "steps"}')
    .addHelpText(
      'after',
      '\nExamples:\n  slipway destinations test dashscope\n  slipway destinations test bigmodel --field purpose=agent\n  slipway destinations test sandbox\n',
    )
    .action(async (name: string, flags: TrialFlags) => {
      const words = wordsOf(flags);
      const opened = await openSession(flags, false);
      done(
        await withSandbox(opened, [name], (session) => tryOne(name, withWords(session, name, words), flags)),
      );
    });
}

async function tryOne(name: string, session: Session, flags: TrialFlags): Promise<ExitCode> {
  const { config, baseDir, env, log } = session;
  const chosen = chooseDestination(config, name, baseDir);
  const written = writtenDestination(config, name);
  const definition = waitsUntilReady(written)
    ? { ...resolveDestination(name, { ...written, waitUntilReady: true }, baseDir), secrets: chosen.secrets }
    : chosen;
  const http = openHttpClient(httpOptions(session, 2));
  const destination = openChosen(definition, { http, env, log });
  const paint = paintFor(process.stdout, process.env);
  const means = { http, retry: config.retry, monotonicMs: () => performance.now(), nowMs: Date.now };
  const steps: TrialStep[] = [];
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, onSignal);
  try {
    const asked = { files: 1, bytes: 20, dataDir: config.dataDir };
    const confirm = (question: Parameters<typeof confirmPublic>[0]) =>
      confirmPublic(question, flags.yes === true);
    await acknowledgeDirect(destination, { ...asked, confirm });
    for await (const step of tryDestination(destination, means, stop.signal)) {
      steps.push(step);
      if (flags.json !== true) await print(`${lineOf(step, paint)}\n`);
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    return EXIT.sigint;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, onSignal);
    await destination.close();
    await http.close();
  }
  const exitCode = worstExit(
    steps.map(({ state, kind }) => (state === 'failed' ? exitCodeOfKind(kind ?? '') : EXIT.ok)),
  );
  if (flags.json === true) {
    await print(jsonLine({ destination: name, ok: exitCode === EXIT.ok, steps }));
  } else if (exitCode === EXIT.ok) {
    const totalMs = steps.reduce((sum, { ms }) => sum + ms, 0);
    await print(`${name} works: ${Math.round(totalMs)} ms in all\n`);
  }
  return exitCode;
}

function lineOf({ step, state, ms, detail }: TrialStep, paint: Paint): string {
  const mark = state === 'failed' ? paint.bad('FAILED') : state === 'ok' ? paint.good('ok    ') : '-     ';
  const time = state === 'none' ? '' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  return `${step.padEnd(9)}  ${mark}  ${time.padStart(9)}  ${printable(detail)}`;
}
