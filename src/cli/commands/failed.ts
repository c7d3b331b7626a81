import { type Command, Option } from 'commander';
import {
  type DeadLetterKind,
  type DeadLetterResult,
  deadLetterKinds,
  type ShownDeadLetter,
} from '../../operations/failed/dead-letters.ts';
import { meantSources } from '../../runtime/plans/known-sources.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { jsonLine } from '../screen/json-line.ts';
import { isReaderGone, print } from '../screen/output.ts';
import { paintFor, printable } from '../screen/terminal.ts';
import { openSession, type SharedFlags } from '../session.ts';

interface FailedFlags extends SharedFlags {
  readonly source?: string;
  readonly match?: string[];
  readonly code?: string[];
  readonly json?: boolean;
}

/** More on a terminal only hide the reasons above them. */
const SHOWN_ON_TERMINAL = 40;

/** `slipway failed list|retry|discard`. */
export function addFailedCommand(program: Command, done: (code: ExitCode) => void): void {
  const failed = program
    .command('failed')
    .description('what has failed for good: list it, send it again, or give it up')
    .addHelpText('after', '\nExample:\n  slipway failed list --source inbox\n');
  below(failed, 'list', 'by reason, with the fix, then each; beside a running process too', list, [
    'slipway failed list --code rejected',
    'slipway failed list --json | jq -r .path',
  ])(done);
  below(failed, 'retry', 'send again with fresh attempts, as the next generation', retry, [
    "slipway failed retry --match 'scans/**'",
    'slipway failed retry --code file_unreadable',
  ])(done);
  below(
    failed,
    'discard',
    'give up: listed and counted no more; the receipt stays, a new version of the file goes as any',
    discard,
    ["slipway failed discard --match '*.exe'"],
  )(done);
}

function below(
  failed: Command,
  name: string,
  description: string,
  work: (kinds: readonly DeadLetterKind[], flags: FailedFlags) => Promise<void>,
  examples: readonly string[],
): (done: (code: ExitCode) => void) => void {
  return (done) =>
    void failed
      .command(name)
      .description(description)
      .option('--source <name>', 'only of this source')
      .addOption(
        new Option(
          '--match <glob...>',
          'only paths (as the manifest shows them), or webhook names, that match',
        ),
      )
      .addOption(new Option('--code <code...>', 'only with this error code'))
      .option(
        '--json',
        name === 'list' ? 'print each receipt, or delivery, as a JSON line' : 'print a JSON line per source',
      )
      .addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}\n`).join('')}`)
      .action(async (flags: FailedFlags) => {
        const { config, log } = await openSession(flags, false);
        const sources = await meantSources(config, flags.source);
        const { dataDir, redis } = config;
        await work(deadLetterKinds({ config, sources, dataDir, redis, log }), flags);
        // Nothing to do is done, too.
        done(EXIT.ok);
      });
}

function filterOf({ match, code }: FailedFlags): { match: readonly string[]; codes: readonly string[] } {
  return { match: match ?? [], codes: code ?? [] };
}

async function list(kinds: readonly DeadLetterKind[], flags: FailedFlags): Promise<void> {
  let any = false;
  for (const kind of kinds) {
    if (flags.json === true) await printJson(kind, flags);
    else if (await printForPeople(kind, flags)) any = true;
  }
  if (!any && flags.json !== true) await print('nothing has failed for good\n');
}

async function printJson(kind: DeadLetterKind, flags: FailedFlags): Promise<void> {
  for await (const letters of kind.list(filterOf(flags))) {
    await print(letters.map(({ json }) => jsonLine(json)).join(''));
    if (isReaderGone()) return;
  }
}

interface Group {
  readonly code: string;
  readonly httpStatus: number | null;
  /** Of the first one found. */
  readonly message: string;
  readonly fix: string;
  count: number;
}

/** Twice through: the reasons first, however many there are of each; memory holds the reasons alone. */
async function printForPeople(kind: DeadLetterKind, flags: FailedFlags): Promise<boolean> {
  const groups = new Map<string, Group>();
  let total = 0;
  for await (const letters of kind.list(filterOf(flags))) {
    total += letters.length;
    for (const letter of letters) countIn(groups, letter);
  }
  if (total === 0) return false;
  const paint = paintFor(process.stdout, process.env);
  for (const { code, httpStatus, message, fix, count } of [...groups.values()].sort(
    (a, b) => b.count - a.count,
  )) {
    const status = httpStatus === null ? '' : ` (HTTP ${httpStatus})`;
    await print(`${counted(count, kind)} ${paint.bad(printable(code))}${status}: ${printable(message)}\n`);
    await print(`  ${printable(fix)}\n`);
  }
  await print('\n');
  const most = process.stdout.isTTY ? SHOWN_ON_TERMINAL : Number.POSITIVE_INFINITY;
  let shown = 0;
  for await (const letters of kind.list(filterOf(flags))) {
    for (const letter of letters.slice(0, most - shown)) await print(await lineOf(letter));
    shown += Math.min(letters.length, most - shown);
    if (shown >= most || isReaderGone()) break;
  }
  if (shown < total) await print(`… and ${total - shown} more: --json prints all of them\n`);
  return true;
}

function countIn(groups: Map<string, Group>, { code, httpStatus, message, fix }: ShownDeadLetter): void {
  const key = `${code} ${httpStatus}`;
  const group = groups.get(key);
  if (group === undefined) groups.set(key, { code, httpStatus, message, fix, count: 1 });
  else group.count += 1;
}

async function lineOf(letter: ShownDeadLetter): Promise<string> {
  const note = await letter.note();
  const text = `${letter.source}  ${letter.subject}  ${letter.code}${note === null ? '' : `  (${note})`}`;
  return `${printable(text)}\n`;
}

async function retry(kinds: readonly DeadLetterKind[], flags: FailedFlags): Promise<void> {
  await report(
    kinds,
    (kind) => kind.retry(filterOf(flags)),
    flags,
    ({ owner, letters }) => {
      const who = owner === null ? 'at the next slipway run' : `by process ${owner.pid}`;
      return `${letters === 1 ? 'goes' : 'go'} again ${who}`;
    },
  );
}

async function discard(kinds: readonly DeadLetterKind[], flags: FailedFlags): Promise<void> {
  await report(
    kinds,
    (kind) => kind.discard(filterOf(flags)),
    flags,
    ({ letters }) => `${letters === 1 ? 'is' : 'are'} given up`,
  );
}

async function report(
  kinds: readonly DeadLetterKind[],
  work: (kind: DeadLetterKind) => Promise<DeadLetterResult[]>,
  flags: FailedFlags,
  sentence: (result: DeadLetterResult) => string,
): Promise<void> {
  let any = false;
  for (const kind of kinds) {
    for (const result of await work(kind)) {
      any = true;
      if (flags.json === true) await print(jsonLine(result));
      else await print(textOf(result, kind, sentence(result)));
    }
  }
  if (!any && flags.json !== true) await print('nothing that failed is meant by this\n');
}

function textOf(result: DeadLetterResult, kind: DeadLetterKind, what: string): string {
  const { source, letters, refused, putBack, missing, examples } = result;
  if (refused !== null) {
    const stay = letters === 1 ? 'stays as it is' : 'stay as they are';
    return `${source}: ${counted(letters, kind)} ${stay}: ${printable(refused)}\n`;
  }
  const lines = [`${source}: ${counted(letters, kind)} ${what}`];
  if (putBack > 0) lines.push(`  ${putBack} of them had been moved away and put back where they were`);
  if (missing > 0) lines.push(`  ${missing} of them cannot be sent from where they are now:`);
  for (const { path, reason } of examples) lines.push(`    ${printable(path)}: ${printable(reason)}`);
  if (missing > examples.length) lines.push(`    … and ${missing - examples.length} more`);
  return `${lines.join('\n')}\n`;
}

function counted(count: number, { words }: DeadLetterKind): string {
  return `${count} ${count === 1 ? words.one : words.many}`;
}
