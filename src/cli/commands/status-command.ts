import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import type { EndpointReport } from '../../domain/delivery.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { pauseText } from '../../domain/pause-list.ts';
import { clearLost } from '../../operations/control/clear-lost.ts';
import { readStatus, type Status } from '../../operations/inspect/status.ts';
import { formatBytes, formatDuration } from '../../platform/units.ts';
import { knownSources, meantSources } from '../../runtime/plans/known-sources.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { destinationLines } from '../screen/destination-lines.ts';
import { jsonLine } from '../screen/json-line.ts';
import { isReaderGone } from '../screen/output.ts';
import { isDumbTerminal, type Paint, paintFor, printable } from '../screen/terminal.ts';
import { openSession, type Session, type SharedFlags } from '../session.ts';

interface StatusFlags extends SharedFlags {
  readonly watch?: boolean;
  readonly json?: boolean;
  readonly check?: boolean;
  readonly clearLost?: boolean;
  readonly source?: string;
}

const WATCH_MS = 1000;
const HOME_AND_CLEAR = '\u001b[H\u001b[2J';

/** `slipway status`: never starts Redis. */
export function addStatusCommand(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('status')
    .description('counts by state, rate, time left and the health of every destination')
    .option('-w, --watch', 'refresh every second until Ctrl-C')
    .option('--json', 'print JSON (one line per refresh)')
    .option('--check', 'print one line; exit 0 when a process runs, 5 when none does')
    .addOption(
      new Option('--clear-lost', 'count lost jobs anew, once they have been seen').conflicts([
        'watch',
        'check',
      ]),
    )
    .option('--source <name>', 'with --clear-lost: only of this source')
    .addHelpText(
      'after',
      '\nExamples:\n  slipway status --json | jq .sources\n  slipway status --check\n  slipway status --clear-lost --source inbox\n',
    )
    .action(async (flags: StatusFlags) => {
      done(await status(flags));
    });
}

async function status(flags: StatusFlags): Promise<ExitCode> {
  const session = await openSession(flags, false);
  if (flags.source !== undefined && flags.clearLost !== true)
    throw new SlipwayError('usage', {
      problem: '--source goes with --clear-lost: add it, or leave --source out',
    });
  if (flags.clearLost === true) return await clear(session, flags);
  if (flags.check === true) return await check(session);
  for (;;) {
    const now = await read(session);
    const redraws = process.stdout.isTTY && !isDumbTerminal(process.env);
    const clear = flags.watch === true && flags.json !== true && redraws ? HOME_AND_CLEAR : '';
    const text = flags.json === true ? jsonLine(now) : statusText(now, paintFor(process.stdout, process.env));
    process.stdout.write(clear + text);
    if (flags.watch !== true || isReaderGone()) return EXIT.ok;
    await sleep(WATCH_MS);
  }
}

/** For a health check: what runs while Redis takes nothing is still running. */
async function check(session: Session): Promise<ExitCode> {
  const { running, redisTrouble } = await read(session);
  const trouble = redisTrouble === null ? '' : `; ${printable(redisTrouble)}`;
  process.stdout.write(`${running ? 'running' : 'not running'}${trouble}\n`);
  return running ? EXIT.ok : EXIT.temporary;
}

async function clear({ config, log }: Session, flags: StatusFlags): Promise<ExitCode> {
  const { dataDir, redis } = config;
  const cleared = await clearLost(await meantSources(config, flags.source), { dataDir, redis, log });
  for (const { source, jobs } of cleared)
    process.stdout.write(
      flags.json === true
        ? `${JSON.stringify({ source, jobs })}\n`
        : `source ${printable(source)}: ${jobs} lost jobs are counted no more\n`,
    );
  if (cleared.length === 0 && flags.json !== true) process.stdout.write('no jobs were lost\n');
  return EXIT.ok;
}

async function read(session: Session): Promise<Status> {
  const { config, log } = session;
  return await readStatus({
    plans: (await knownSources(config)).map(({ plan }) => plan),
    dataDir: config.dataDir,
    redis: config.redis,
    log,
  });
}

function webhookLine(webhook: EndpointReport, paint: Paint): string {
  const { name, target, health, pending, behindBytes, dead, disabled, last } = webhook;
  const state = health === 'ok' ? paint.good(health) : paint.bad(health);
  const behind = behindBytes === 0 ? '' : `, ${formatBytes(behindBytes)} of the journal to come`;
  const given = dead === 0 ? '' : `, ${dead} dead`;
  const reason = disabled ?? (health === 'ok' ? null : (last?.summary ?? null));
  const why = reason === null ? '' : `: ${printable(reason)}`;
  return `  webhook ${name}  ${printable(target)}  ${state}${why}; ${pending} on their way${behind}${given}`;
}

/** What a person reads. */
export function statusText(status: Status, paint: Paint): string {
  const lines = [status.running ? paint.good('running') : 'not running'];
  if (status.redisTrouble !== null) lines.push(paint.bad(printable(status.redisTrouble)));
  if (status.filesPerSecond >= 0.1) {
    const eta =
      status.etaSeconds === null || status.etaSeconds === 0
        ? ''
        : `, ETA ${formatDuration(status.etaSeconds * 1000)}`;
    lines.push(
      `${status.filesPerSecond.toFixed(1)} files/s, ${formatBytes(Math.round(status.bytesPerSecond))}/s${eta}`,
    );
  }
  for (const pause of status.paused) lines.push(paint.bad(printable(pauseText(pause))));
  if (status.sources.length === 0) lines.push('no sources yet: slipway run PATH --to DESTINATION');
  for (const source of status.sources) {
    const { name, discovered, uploaded, failed, skipped, pending, live } = source;
    lines.push(
      '',
      `source ${name}${source.path === null ? '' : `  ${printable(source.path)}`}${source.running ? '' : '  (not running)'}`,
    );
    lines.push(
      `  ${discovered} discovered = ${uploaded} uploaded + ${failed} failed + ${skipped} skipped + ${pending} pending`,
    );
    if (source.dead > 0)
      lines.push(
        `  ${paint.bad(`${source.dead} dead letters`)}: see slipway failed list --source ${printable(name)}`,
      );
    if (source.lostJobs > 0)
      lines.push(
        `  ${paint.bad(`${source.lostJobs} jobs lost by Redis`)}: their files were queued again; some may have been sent twice; once seen: slipway status --clear-lost`,
      );
    if (live !== null && live.pending > 0) {
      lines.push(
        `  ${live.unsettled} settling, ${live.waiting} waiting, ${live.active} in hand, ${live.delayed} to be tried again`,
      );
    }
    if (live?.oldestWaiting != null) lines.push(`  oldest waiting since ${live.oldestWaiting}`);
    for (const { message } of source.held) lines.push(`  ${paint.bad(printable(message))}`);
    if (live?.trouble != null && !source.held.some(({ message }) => message === live.trouble))
      lines.push(`  ${paint.bad(printable(live.trouble))}`);
    for (const { batch, done, members, discovered, startedAt } of source.batches)
      lines.push(`  batch ${batch}  ${done} of ${discovered ? '' : '≥ '}${members} done, since ${startedAt}`);
    for (const webhook of live?.webhooks ?? []) lines.push(webhookLine(webhook, paint));
    if (source.manifest !== null) lines.push(`  manifest ${printable(source.manifest)}`);
  }
  for (const destination of status.destinations) {
    lines.push('', ...destinationLines(destination, paint));
  }
  return `${lines.join('\n')}\n`;
}
