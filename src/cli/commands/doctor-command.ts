import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { SANDBOX } from '../../config/sandbox-destination.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { examine } from '../../operations/doctor/doctor.ts';
import type { Finding } from '../../operations/doctor/doctor-finding.ts';
import { insideContainer } from '../../operations/doctor/inside-container.ts';
import { openHttpClient } from '../../platform/http/http-client.ts';
import { systemClock } from '../../platform/waiting/clock.ts';
import { httpOptions } from '../../runtime/compose.ts';
import type { SourcePlan } from '../../runtime/plans/source-plan.ts';
import { adHocPlanOf, configuredPlans, ownPathsOf } from '../../runtime/plans/source-plans.ts';
import { EXIT, type ExitCode, exitCodeOf, worstExit } from '../exit-codes.ts';
import { jsonLine } from '../screen/json-line.ts';
import { print } from '../screen/output.ts';
import { type Paint, paintFor, printable } from '../screen/terminal.ts';
import { openSession, type Session, type SharedFlags } from '../session.ts';

interface DoctorFlags extends SharedFlags {
  readonly json?: boolean;
}

/** `slipway doctor`. */
export function addDoctorCommand(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('doctor')
    .description(
      'try what a run depends on: tokens, Redis, inotify limits, clock, disks, and events of each folder',
    )
    .argument('[paths...]', 'folders to try instead of the sources of the config file')
    .option('--json', 'print {"ok", "findings"}')
    .addHelpText(
      'after',
      '\nExamples:\n  slipway doctor\n  slipway doctor /mnt/nas/inbox --json\n\nExit code: 0 all is well (warnings included), 2 something here is to be mended, 5 a token service does not answer, 7 it refuses.\n',
    )
    .action(async (paths: string[], flags: DoctorFlags) => {
      done(await doctor(paths, flags));
    });
}

async function doctor(paths: readonly string[], flags: DoctorFlags): Promise<ExitCode> {
  const session = await openSession(flags, paths.length === 0);
  const { config } = session;
  const plans = paths.length === 0 ? configuredPlans(config) : paths.map((path) => planAt(path, session));
  const http = openHttpClient(httpOptions(session, 2));
  const paint = paintFor(process.stdout, process.env);
  const findings: Finding[] = [];
  try {
    const found = examine(
      {
        plans,
        definitions: Object.values(config.definitions).filter(
          ({ name }) => name !== SANDBOX || Object.hasOwn(config.destinations, SANDBOX),
        ),
        dataDir: config.dataDir,
        redis: config.redis,
        ownPaths: ownPathsOf(session, plans),
        http,
        tokenEnv: session.env,
        env: process.env,
        inContainer: insideContainer(process.env),
        now: systemClock.nowMs,
      },
      new AbortController().signal,
    );
    for await (const finding of found) {
      findings.push(finding);
      if (flags.json !== true) await print(`${line(finding, paint)}\n`);
    }
  } finally {
    await http.close();
  }
  const exit = worstExit(findings.filter(({ state }) => state === 'problem').map(exitOf));
  if (flags.json === true) {
    const told = findings.map(({ error: _, ...rest }) => rest);
    await print(jsonLine({ ok: exit === EXIT.ok, findings: told }));
  }
  return exit;
}

/** The folder's own source where it is one, for its rules; else one with every default. */
function planAt(path: string, session: Session): SourcePlan {
  const root = resolve(path);
  const known = configuredPlans(session.config).find((plan) => plan.root === root);
  return known ?? adHocPlanOf(basename(root), root, '');
}

/** Tokens end a run as contract §7 says; whatever else is wrong is to be mended here. */
function exitOf({ check, error }: Finding): ExitCode {
  return check === 'token' && error instanceof SlipwayError ? exitCodeOf(error) : EXIT.usage;
}

const MARKS: Readonly<Record<Finding['state'], string>> = {
  ok: 'ok',
  warning: 'warning',
  problem: 'PROBLEM',
};

function line({ check, subject, state, message }: Finding, paint: Paint): string {
  const mark = MARKS[state].padEnd(8);
  const painted = state === 'ok' ? paint.good(mark) : state === 'problem' ? paint.bad(mark) : mark;
  const about = subject === null ? check : `${check} ${subject}`;
  return `${painted} ${printable(about)}: ${printable(message)}`;
}
