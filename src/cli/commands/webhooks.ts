import type { Command } from 'commander';
import { SlipwayError } from '../../domain/errors.ts';
import { type DeliverAnswer, deliverNow } from '../../operations/webhooks/webhook-deliver.ts';
import {
  type DeadDelivery,
  endpointNames,
  listDeadDeliveries,
  listWebhooks,
  notConfigured,
  type ReplayAnswer,
  replayWebhooks,
  type WebhookRow,
} from '../../operations/webhooks/webhook-list.ts';
import { newSecret, tryWebhook, type WebhookTrial } from '../../operations/webhooks/webhook-test.ts';
import { senderOptions } from '../../runtime/compose.ts';
import { knownSources } from '../../runtime/plans/known-sources.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { momentFlag } from '../flags.ts';
import { jsonLine } from '../screen/json-line.ts';
import { print } from '../screen/output.ts';
import { printable } from '../screen/terminal.ts';
import { openSession, type SharedFlags } from '../session.ts';

interface JsonFlags extends SharedFlags {
  readonly json?: boolean;
}

interface ReplayFlags extends JsonFlags {
  /** Milliseconds since the epoch. */
  readonly since?: number;
  readonly id?: string;
  readonly failed?: boolean;
}

/** `slipway webhooks list|test|secret|deliver|replay`. */
export function addWebhooksCommand(program: Command, done: (code: ExitCode) => void): void {
  const webhooks = program
    .command('webhooks')
    .description('who is told what has settled: how they are doing, a trial, telling again')
    .addHelpText('after', '\nExample:\n  slipway webhooks list\n');
  webhooks
    .command('list')
    .description('every endpoint: what waits for it, what it has answered last')
    .option('--json', 'print a JSON line per endpoint and source')
    .addHelpText('after', '\nExample:\n  slipway webhooks list --json | jq "select(.dead > 0)"\n')
    .action(async (flags: JsonFlags) => done(await list(flags)));
  webhooks
    .command('test')
    .description('send a signed sample and print the answer; exit 5 when it is not acknowledged')
    .argument(
      '<name-or-url>',
      'a webhook of the config file, or any http(s) URL (a secret is made up for it)',
    )
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  slipway webhooks test pipeline\n  slipway webhooks test http://127.0.0.1:8000/hook\n',
    )
    .action(async (target: string, flags: JsonFlags) => done(await trial(target, flags)));
  webhooks
    .command('secret')
    .description('print a fresh secret for `secret:` of a webhook')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  echo "HOOK_SECRET=$(slipway webhooks secret)" >> .env\n')
    .action(async (flags: JsonFlags) => {
      const secret = newSecret();
      await print(flags.json === true ? jsonLine({ secret }) : `${secret}\n`);
      done(EXIT.ok);
    });
  webhooks
    .command('deliver')
    .description('send now what waits: for its next attempt, for more of its window, for an endpoint at rest')
    .argument('<name>', 'a webhook of the config file (`onSettled` for the command of sources)')
    .option('--json', 'print a JSON line per source')
    .addHelpText(
      'after',
      '\nA running process sends them; without one this command does, and exits 5 while something still waits.\n\nExample:\n  slipway webhooks deliver pipeline\n',
    )
    .action(async (name: string, flags: JsonFlags) => done(await deliver(name, flags)));
  webhooks
    .command('replay')
    .description('tell once more, under the same ids; an endpoint that was disabled is delivered to again')
    .argument('[name]', 'one webhook (`onSettled` for the command of sources); left out: all')
    .option('--since <when>', 'what was recorded since a date, or within a duration such as 24h', momentFlag)
    .option('--id <id>', 'one event: its webhook-id, a file version (f…) or a batch')
    .option('--failed', 'deliveries that were given up')
    .option('--json', 'print a JSON line per endpoint and source')
    .addHelpText(
      'after',
      '\nA running process sends them; without one the next start does.\n\nExamples:\n  slipway webhooks replay --failed\n  slipway webhooks replay pipeline --since 24h\n',
    )
    .action(async (name: string | undefined, flags: ReplayFlags) => done(await replay(name, flags)));
}

async function list(flags: JsonFlags): Promise<ExitCode> {
  const { config } = await openSession(flags, false);
  const rows = await listWebhooks({ config, sources: await knownSources(config) });
  if (rows.length === 0 && flags.json !== true) await print('no webhooks: see docs/webhooks.md\n');
  for (const row of rows) await print(flags.json === true ? jsonLine(row) : `${rowText(row)}\n`);
  return EXIT.ok;
}

function rowText(row: WebhookRow): string {
  const { endpoint, source, target, events, pending, oldestUnacknowledged, dead, disabled, last } = row;
  const oldest = oldestUnacknowledged === null ? '' : `, oldest since ${oldestUnacknowledged}`;
  const lines = [
    `${endpoint}  ${printable(target)}  source ${source}  (${events.join(', ')})`,
    `  ${pending} pending${oldest}; ${dead} dead`,
  ];
  if (disabled !== null) lines.push(`  DISABLED: ${printable(disabled)}`);
  if (last !== null) {
    const status = last.status === null ? '' : ` (${last.status})`;
    lines.push(`  last answer ${last.at}: ${printable(last.summary)}${status}, ${last.durationMs} ms`);
  }
  return lines.join('\n');
}

async function trial(target: string, flags: JsonFlags): Promise<ExitCode> {
  const session = await openSession(flags, false);
  const found = await tryWebhook(target, session.config, senderOptions(session));
  await print(flags.json === true ? jsonLine(found) : `${trialText(found)}\n`);
  return found.acknowledged ? EXIT.ok : EXIT.temporary;
}

function trialText({ target, id, status, problem, body, durationMs, secret }: WebhookTrial): string {
  const answer = problem ?? `acknowledged${status === null ? '' : ` (${status})`}`;
  const lines = [`${printable(target)}: ${printable(answer)}, ${durationMs} ms`, `webhook-id ${id}`];
  if (body !== '') lines.push(`answer: ${printable(body)}`);
  if (secret !== null) lines.push(`signed with ${secret}`);
  return lines.join('\n');
}

async function deliver(name: string, flags: JsonFlags): Promise<ExitCode> {
  const session = await openSession(flags, false);
  const { config, log } = session;
  refuseUnknown(name, endpointNames(config));
  const sources = await knownSources(config);
  const answers = await deliverNow({ config, sources, name, senders: senderOptions(session), log });
  for (const answer of answers)
    await print(flags.json === true ? `${JSON.stringify(answer)}\n` : `${deliverText(answer)}\n`);
  return answers.some(({ problem }) => problem !== null) ? EXIT.temporary : EXIT.ok;
}

function deliverText({ endpoint, source, deliveries, owner, waiting, problem }: DeliverAnswer): string {
  const what =
    owner !== null
      ? `what waits (${deliveries} deliveries) is sent now by process ${owner.pid}`
      : problem === null
        ? 'nothing waits any more'
        : `${waiting ?? 0} events still wait: ${printable(problem)}`;
  return `${endpoint}, source ${source}: ${what}`;
}

function refuseUnknown(name: string, names: readonly string[]): void {
  if (names.includes(name)) return;
  const known = names.length === 0 ? 'the config has none' : `there are ${names.join(', ')}`;
  throw new SlipwayError('usage', { problem: `there is no webhook ${name}: ${known}` });
}

async function replay(name: string | undefined, flags: ReplayFlags): Promise<ExitCode> {
  const { since, id, failed } = flags;
  const ways = [since, id, failed].filter((flag) => flag !== undefined).length;
  if (ways !== 1)
    throw new SlipwayError('usage', {
      problem: 'what is to be told again? Give one of --since, --id or --failed',
    });
  const { config, log } = await openSession(flags, false);
  if (name !== undefined) refuseUnknown(name, endpointNames(config));
  const sources = await knownSources(config);
  const answers = await replayWebhooks({
    ...{ config, sources, name: name ?? null, log },
    what:
      since !== undefined
        ? { kind: 'since', atMs: since }
        : id !== undefined
          ? { kind: 'id', id }
          : { kind: 'failed' },
  });
  for (const answer of answers)
    await print(flags.json === true ? jsonLine(answer) : `${replayText(answer)}\n`);
  if (failed === true) await sayNotConfigured({ config, sources }, name);
  const found = answers.some(({ deliveries }) => deliveries !== 0);
  if (id === undefined || found) return EXIT.ok;
  process.stderr.write(`slipway: nothing that was told has the id ${id}\n`);
  return EXIT.permanent;
}

/** Deliveries that were given up, of webhooks that are gone from the config, are not passed over in silence. */
async function sayNotConfigured(
  options: Parameters<typeof listDeadDeliveries>[0],
  name: string | undefined,
): Promise<void> {
  const dead = (await listDeadDeliveries(options)).filter(
    ({ endpoint, configured }) => !configured && (name === undefined || endpoint === name),
  );
  for (const [{ source, endpoint }, count] of groupedBySender(dead)) {
    const what = `${count} ${count === 1 ? 'delivery stays' : 'deliveries stay'} given up`;
    process.stderr.write(`slipway: ${what}: ${printable(notConfigured(source, endpoint))}\n`);
  }
}

function groupedBySender(dead: readonly DeadDelivery[]): [DeadDelivery, number][] {
  const groups = Map.groupBy(dead, ({ source, endpoint }) => `${source}\0${endpoint}`);
  return [...groups.values()].flatMap((group) =>
    group.slice(0, 1).map((one) => [one, group.length] as [DeadDelivery, number]),
  );
}

function replayText({ endpoint, source, deliveries, enabled, owner }: ReplayAnswer): string {
  const what = deliveries === null ? 'everything since' : `${deliveries} deliveries`;
  const who = owner === null ? 'at the next slipway run' : `by process ${owner.pid}`;
  return `${endpoint}, source ${source}: ${what} ${who}${enabled ? '; it was disabled and is delivered to again' : ''}`;
}
