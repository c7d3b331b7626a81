import type { ResolvedConfig } from '../../config/resolved-config.ts';
import type { Delivery, DeliveryAnswer } from '../../domain/delivery.ts';
import { newEndpoint } from '../../domain/delivery.ts';
import type { Log } from '../../domain/log.ts';
import { receiptLines } from '../../ledger/journal/latest-lines.ts';
import { journalPathOf } from '../../ledger/journal/manifest-journal.ts';
import { readSourceLedger } from '../../ledger/store/source-store.ts';
import { openBatchEnds } from '../../ledger/tables/batch-ends.ts';
import { openOutbox } from '../../ledger/tables/outbox-store.ts';
import { type Endpoint, shownTarget } from '../../notify/endpoint/endpoint.ts';
import { wantsFiles } from '../../notify/event/build-deliveries.ts';
import type { ReplayWhat } from '../../notify/outbox/webhook-replay.ts';
import { withOwner } from '../../runtime/owner/owner-request.ts';
import { COMMAND_SINK, endpointsOf } from '../../runtime/plans/endpoint-plans.ts';
import type { KnownSource } from '../../runtime/plans/known-sources.ts';

/** One endpoint of one source as `webhooks list` shows it. */
export interface WebhookRow {
  readonly endpoint: string;
  readonly source: string;
  /** Origin of its URL, or name of its program. */
  readonly target: string;
  readonly events: readonly string[];
  /** Events that are not acknowledged: on their way, and not made out yet. */
  readonly pending: number;
  /** ISO time of the oldest of them. */
  readonly oldestUnacknowledged: string | null;
  readonly dead: number;
  readonly disabled: string | null;
  readonly last: DeliveryAnswer | null;
}

/** A dead delivery, for `failed list`. Deliveries are named by their webhook-id. */
export interface DeadDelivery {
  readonly source: string;
  readonly endpoint: string;
  readonly id: string;
  readonly events: number;
  readonly attempts: number;
  readonly eventAt: string;
  readonly last: DeliveryAnswer | null;
  /** Whether the config still has its webhook for this source: without it nothing can be sent again. */
  readonly configured: boolean;
}

interface ListFacts {
  readonly config: Pick<ResolvedConfig, 'dataDir' | 'redis' | 'webhooks' | 'sources'>;
  readonly sources: readonly KnownSource[];
}

/** Every endpoint of every source; read beside a running owner or without one. */
export async function listWebhooks({ config, sources }: ListFacts): Promise<WebhookRow[]> {
  const rows: WebhookRow[] = [];
  for (const { name, plan } of sources) {
    for (const endpoint of endpointsOf(config, name)) {
      rows.push(await rowOf(endpoint, name, journalPathOf(plan.manifest), config.dataDir));
    }
  }
  return rows;
}

async function rowOf(
  endpoint: Endpoint,
  source: string,
  journal: string,
  dataDir: string,
): Promise<WebhookRow> {
  const ledger = readSourceLedger(dataDir, source);
  try {
    const outbox = ledger === null ? null : openOutbox(ledger);
    const ends = ledger === null ? null : openBatchEnds(ledger);
    const mark = ledger?.mark() ?? 0;
    const state = outbox?.state(endpoint.name) ?? newEndpoint(mark, ends?.last() ?? 0);
    const open = [...(outbox?.deliveries(endpoint.name) ?? [])].filter((one) => one.state === 'open');
    const behind = await uncut(endpoint, journal, state.cursor, mark);
    const batches = endpoint.events.includes('batch.completed') ? (ends?.last() ?? 0) - state.batchSeq : 0;
    const times = [...open.map(({ eventAtMs }) => eventAtMs), ...behind.oldestMs];
    return {
      endpoint: endpoint.name,
      source,
      target: shownTarget(endpoint),
      events: endpoint.events,
      pending: open.reduce((sum, { events }) => sum + events, 0) + behind.events + batches,
      oldestUnacknowledged: times.length === 0 ? null : new Date(least(times)).toISOString(),
      dead: state.dead,
      disabled: state.disabled?.reason ?? null,
      last: state.last,
    };
  } finally {
    await ledger?.close();
  }
}

/** Events that no delivery has been made of; memory does not grow with them. */
async function uncut(
  endpoint: Endpoint,
  journal: string,
  from: number,
  to: number,
): Promise<{ events: number; oldestMs: number[] }> {
  const wanted = wantsFiles(endpoint);
  let events = 0;
  let oldestMs: number | null = null;
  if (wanted.length === 0 || from >= to) return { events, oldestMs: [] };
  for await (const lines of receiptLines(journal, { from, to })) {
    for (const { receipt } of lines) {
      if (!wanted.includes(`file.${receipt.status}`)) continue;
      events += 1;
      oldestMs ??= Date.parse(receipt.recordedAt);
    }
  }
  return { events, oldestMs: oldestMs === null ? [] : [oldestMs] };
}

function least(times: readonly number[]): number {
  return times.reduce((smallest, time) => Math.min(smallest, time), Number.POSITIVE_INFINITY);
}

/** Deliveries that have permanently failed, of every endpoint that is configured or once was. */
export async function listDeadDeliveries({ config, sources }: ListFacts): Promise<DeadDelivery[]> {
  const found: DeadDelivery[] = [];
  for (const { name: source } of sources) {
    const ledger = readSourceLedger(config.dataDir, source);
    try {
      const outbox = ledger === null ? null : openOutbox(ledger);
      const known = new Set(endpointsOf(config, source).map(({ name }) => name));
      for (const endpoint of outbox?.endpoints() ?? []) {
        for (const delivery of outbox?.deliveries(endpoint) ?? []) {
          if (delivery.state === 'dead')
            found.push({ ...deadOf(delivery, source, endpoint), configured: known.has(endpoint) });
        }
      }
    } finally {
      await ledger?.close();
    }
  }
  return found;
}

function deadOf(delivery: Delivery, source: string, endpoint: string): Omit<DeadDelivery, 'configured'> {
  const { id, events, attempts, eventAtMs, last } = delivery;
  return { source, endpoint, id, events, attempts, eventAt: new Date(eventAtMs).toISOString(), last };
}

/** Why dead deliveries of a webhook that is gone from the config go nowhere, with the fix. */
export function notConfigured(source: string, endpoint: string): string {
  return `the config has no webhook ${endpoint} for source ${source}: put it back to have them sent, or give them up (slipway failed discard --match ${endpoint})`;
}

/** What came of a replay at one endpoint of one source. */
export interface ReplayAnswer {
  readonly source: string;
  readonly endpoint: string;
  /** null: all that was recorded since. */
  readonly deliveries: number | null;
  readonly enabled: boolean;
  /** Process that sends them; null: the next one to start. */
  readonly owner: { readonly pid: number; readonly host: string } | null;
}

/**
 * Has events told once more: by the process that works on a source, else by the next one to.
 * @param options.name of one endpoint; null: every one
 * @throws SlipwayError what `withOwner` throws
 */
export async function replayWebhooks(
  options: ListFacts & { readonly what: ReplayWhat; readonly name: string | null; readonly log: Log },
): Promise<ReplayAnswer[]> {
  const { config, sources, what, name, log } = options;
  const answers: ReplayAnswer[] = [];
  for (const source of sources) {
    const endpoints = endpointsOf(config, source.name);
    // What is given up may be of a webhook that is gone from the config: it is looked for in the ledger.
    const known = endpoints.some((endpoint) => name === null || endpoint.name === name);
    if (!known && what.kind !== 'discard') continue;
    const { answer, by } = await withOwner<'replay'>(
      source,
      { kind: 'replay', endpoint: name, what },
      { dataDir: config.dataDir, redis: config.redis, log, endpoints },
    );
    const owner = by.kind === 'owner' ? by.owner : null;
    answers.push(...answer.endpoints.map((one) => ({ source: source.name, ...one, owner })));
  }
  return answers;
}

/** Names a command may be given. */
export function endpointNames(config: ResolvedConfig): string[] {
  const sinks = Object.values(config.sources).some(({ onSettled }) => onSettled !== null);
  return [...config.webhooks.map(({ name }) => name), ...(sinks ? [COMMAND_SINK] : [])];
}
