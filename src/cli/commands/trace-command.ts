import type { Command } from 'commander';
import { type Trace, traceFile } from '../../operations/inspect/trace.ts';
import { endpointsOf } from '../../runtime/plans/endpoint-plans.ts';
import { knownSources, meantSources } from '../../runtime/plans/known-sources.ts';
import { ownPathsOf } from '../../runtime/plans/source-plans.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { jsonLine } from '../screen/json-line.ts';
import { print } from '../screen/output.ts';
import { type Paint, paintFor, printable } from '../screen/terminal.ts';
import { openSession, type SharedFlags } from '../session.ts';

interface TraceFlags extends SharedFlags {
  readonly source?: string;
  readonly json?: boolean;
}

/** `slipway trace`: never starts Redis. */
export function addTraceCommand(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('trace')
    .description(
      'the timeline of one file: seen, settled, queued, tried, uploaded, recorded, delivered, and what lies on disk; exit 6 when unknown',
    )
    .argument('<path>', 'on disk, or as the manifest shows it')
    .option('--source <name>', 'only in this source')
    .option('--json', 'print a JSON line per source that knows it')
    .addHelpText('after', '\nExample:\n  slipway trace inbox/report.pdf\n')
    .action(async (path: string, flags: TraceFlags) => {
      done(await trace(path, flags));
    });
}

async function trace(path: string, flags: TraceFlags): Promise<ExitCode> {
  const session = await openSession(flags, false);
  const { config, log } = session;
  const plans = (await knownSources(config)).map(({ plan }) => plan);
  const traces = await traceFile({
    path,
    sources: await meantSources(config, flags.source),
    ownPaths: ownPathsOf(session, plans),
    dataDir: config.dataDir,
    redis: config.redis,
    endpointsOf: (source) => endpointsOf(config, source),
    cwd: process.cwd(),
    nowMs: Date.now(),
    log,
  });
  const paint = paintFor(process.stdout, process.env);
  for (const one of traces) await print(flags.json === true ? jsonLine(one) : traceText(one, paint));
  if (traces.length > 0) return EXIT.ok;
  process.stderr.write(`slipway: no source knows ${path}, and it lies in no source's folder\n`);
  return EXIT.permanent;
}

/** What a person reads. */
export function traceText({ source, path, timeline, queue, disk }: Trace, paint: Paint): string {
  const lines = [`${printable(path)}  source ${source}`];
  let version = '';
  for (const { at, event, detail, version: of } of timeline) {
    if (of !== version) lines.push(paint.faint(`  ${of}`));
    version = of;
    const word =
      event === 'failed' || event === 'attempt' || event === 'undelivered'
        ? paint.bad(event.padEnd(9))
        : event.padEnd(9);
    lines.push(`    ${(at ?? '').padEnd(24)}  ${word} ${printable(detail)}`);
  }
  if (timeline.length === 0) lines.push('  nothing is recorded of it');
  const states = queue?.map(({ state }) => state).join(', ');
  lines.push(`  queue: ${states === undefined ? 'not running' : states === '' ? 'nothing of it' : states}`);
  lines.push(`  disk:  ${disk.state} (${printable(disk.detail)})`);
  return `${lines.join('\n')}\n`;
}
