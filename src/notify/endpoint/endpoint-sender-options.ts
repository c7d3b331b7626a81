import type { DeliveryAnswer } from '../../domain/delivery.ts';
import type { Log } from '../../domain/log.ts';
import type { BatchEnds } from '../../ledger/tables/batch-ends.ts';
import type { Outbox } from '../../ledger/tables/outbox-store.ts';
import type { RedisConnection } from '../../redis/redis-access.ts';
import type { Send } from '../send/send-attempt.ts';
import type { Endpoint } from './endpoint.ts';

/** What has just been done when the fault harness may strike. */
export type NotifyStep = 'made-out' | 'answered';

/** When things are looked at and tried again. */
export interface NotifyTiming {
  /** Delays before each attempt, milliseconds. */
  readonly scheduleMs: readonly number[];
  /** Between two transactions: what ends meanwhile shares the next one. */
  readonly spacingMs: number;
  /** Without any sign of news. */
  readonly pollMs: number;
  /** Between two comparisons with what Redis holds. */
  readonly resyncMs: number;
  /** Deliveries that may be open at once; 10,000 unless said otherwise. */
  readonly mostOpen?: number;
}

export interface EndpointSenderOptions {
  readonly endpoint: Endpoint;
  readonly source: string;
  readonly outbox: Outbox;
  readonly ends: BatchEnds;
  /** Path of the journal. */
  readonly journal: string;
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly send: Send;
  readonly timing: Pick<NotifyTiming, 'scheduleMs' | 'mostOpen'>;
  /** Something has ended: to be written down soon. */
  readonly wake: () => void;
  readonly failpoint: (step: NotifyStep) => void | Promise<void>;
  readonly log: Log;
  readonly now: () => number;
  readonly random: () => number;
}

/** What `status` and `webhooks list` show of one endpoint of one source. */
export interface EndpointReport {
  readonly name: string;
  /** Origin of its URL, or name of its program. */
  readonly target: string;
  readonly health: 'ok' | 'failing' | 'disabled';
  /** Events made out and not acknowledged. */
  readonly pending: number;
  /** Journal bytes that no delivery has been made of yet. */
  readonly behindBytes: number;
  /** ISO time of the oldest event that is not acknowledged. */
  readonly oldestUnacknowledged: string | null;
  readonly dead: number;
  /** Why it is not delivered to; null: it is. */
  readonly disabled: string | null;
  readonly last: DeliveryAnswer | null;
}
