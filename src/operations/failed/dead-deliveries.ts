import type { ReplayWhat } from '../../notify/outbox/webhook-replay.ts';
import { compileGlobs } from '../../platform/files/glob.ts';
import {
  type DeadDelivery,
  listDeadDeliveries,
  notConfigured,
  replayWebhooks,
} from '../webhooks/webhook-list.ts';
import type {
  DeadLetterFacts,
  DeadLetterFilter,
  DeadLetterKind,
  DeadLetterResult,
  ShownDeadLetter,
} from './dead-letter-kind.ts';

/** What `--code` means among deliveries. */
const CODE = 'delivery_failed';

const FIX = 'see to the endpoint (slipway webhooks test NAME), then: slipway failed retry';

const NOTHING_DONE = { refused: null, putBack: 0, missing: 0, examples: [], owner: null } as const;

/** Deliveries that no endpoint acknowledged within the retry schedule; what they are about is the endpoint's name. */
export function deadDeliveries(options: DeadLetterFacts): DeadLetterKind {
  async function meant({ match, codes }: DeadLetterFilter): Promise<DeadDelivery[]> {
    if (codes.length > 0 && !codes.includes(CODE)) return [];
    const matches = match.length === 0 ? () => true : compileGlobs(match);
    return (await listDeadDeliveries(options)).filter(({ endpoint }) => matches(endpoint));
  }

  /** One request for each endpoint of each source that has any. */
  async function ofEach(filter: DeadLetterFilter, what: ReplayWhat): Promise<DeadLetterResult[]> {
    const results: DeadLetterResult[] = [];
    const dead = Map.groupBy(await meant(filter), ({ source, endpoint }) => `${source}\0${endpoint}`);
    for (const letters of dead.values()) {
      const [{ source, endpoint: name, configured }] = letters as [DeadDelivery];
      if (!configured && what.kind !== 'discard') {
        const refused = notConfigured(source, name);
        results.push({ ...NOTHING_DONE, source, letters: letters.length, refused });
        continue;
      }
      const sources = options.sources.filter((one) => one.name === source);
      for (const answer of await replayWebhooks({ ...options, sources, what, name })) {
        const owner = answer.owner === null ? null : { pid: answer.owner.pid, host: answer.owner.host };
        results.push({
          ...NOTHING_DONE,
          ...{ source: answer.source, letters: answer.deliveries ?? 0, owner },
        });
      }
    }
    return results.filter(({ letters }) => letters > 0);
  }

  return {
    words: { one: 'delivery', many: 'deliveries' },
    async *list(filter) {
      const letters = await meant(filter);
      if (letters.length > 0) yield letters.map(shown);
    },
    retry: (filter) => ofEach(filter, { kind: 'failed' }),
    discard: (filter) => ofEach(filter, { kind: 'discard', id: null }),
  };
}

function shown(delivery: DeadDelivery): ShownDeadLetter {
  const { source, endpoint, id, events, attempts, last, configured } = delivery;
  return {
    source,
    code: CODE,
    httpStatus: last?.status ?? null,
    message: `not acknowledged in ${attempts} attempts${last === null ? '' : `: ${last.summary}`}`,
    fix: configured ? FIX : notConfigured(source, endpoint),
    subject: `webhook ${endpoint} ${id}`,
    json: { kind: 'delivery', ...delivery },
    note: async () => (events === 1 ? null : `${events} events`),
  };
}
