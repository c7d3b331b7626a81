/** What may be told of a file (contract §9), one per status of a receipt. */
export const FILE_EVENTS = ['file.uploaded', 'file.failed', 'file.skipped'] as const;
export type FileEvent = (typeof FILE_EVENTS)[number];

/** What an endpoint may ask to be told. */
export const WEBHOOK_EVENTS = [...FILE_EVENTS, 'batch.completed'] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** `type` of what arrives: an endpoint with `batch` gets its file events as `files.settled`. */
export type DeliveryType = WebhookEvent | 'files.settled';

/**
 * What a delivery tells of; bytes of the journal, `to` behind the last newline.
 * - `receipt`: one line
 * - `receipts`: a window, of which only these events are told
 * - `batch`: the end of one
 */
export type DeliveryContent =
  | { readonly kind: 'receipt'; readonly from: number; readonly to: number }
  | {
      readonly kind: 'receipts';
      readonly from: number;
      readonly to: number;
      readonly events: readonly FileEvent[];
    }
  | { readonly kind: 'batch'; readonly batch: string };

/** How one attempt ended, as it is shown. Nothing secret. */
export interface DeliveryAnswer {
  /** ISO time. */
  readonly at: string;
  /** HTTP status, or exit code of a command; null: there was no answer. */
  readonly status: number | null;
  /** One line: what was wrong, or `acknowledged`. */
  readonly summary: string;
  readonly durationMs: number;
}

/** One event (or window of events) on its way to one endpoint (contract §2); kept until acknowledged, also when dead. */
export interface Delivery {
  /** From 1 on within its endpoint, never used again. */
  readonly seq: number;
  /** The `webhook-id`: never changes between retries, crashes or replays. */
  readonly id: string;
  readonly content: DeliveryContent;
  /** How many events it tells of. */
  readonly events: number;
  /** Epoch milliseconds of the oldest of them. */
  readonly eventAtMs: number;
  /** Failed ones so far. */
  readonly attempts: number;
  /** Epoch milliseconds; of the next attempt. */
  readonly dueAtMs: number;
  readonly state: 'open' | 'dead';
  /** null: not tried yet. */
  readonly last: DeliveryAnswer | null;
}

/** What an endpoint has been told of one source, durable. */
export interface EndpointState {
  /** Journal byte at which it was first seen: nothing before it was told, unless it was asked for. */
  readonly begin: number;
  /** Journal byte up to which deliveries have been made out. */
  readonly cursor: number;
  /** Place among the ended batches up to which they have. */
  readonly batchSeq: number;
  readonly nextSeq: number;
  /** Deliveries that ended without being acknowledged. */
  readonly dead: number;
  /** Epoch milliseconds of the first failure since the last success; null: the last attempt succeeded. */
  readonly failingSinceMs: number | null;
  /** null: it is delivered to. What happens meanwhile stays behind the cursor. */
  readonly disabled: { readonly at: string; readonly reason: string } | null;
  readonly last: DeliveryAnswer | null;
  /** What is to be told once more: journal bytes; null: nothing. */
  readonly replay: { readonly at: number; readonly to: number } | null;
  /** No configuration names it any more; compaction does not keep superseded receipts for it. */
  readonly retired: boolean;
}

/** The state of an endpoint that is first seen now: it is told what happens from here on. */
export function newEndpoint(journalBytes: number, batchSeq: number): EndpointState {
  return {
    begin: journalBytes,
    cursor: journalBytes,
    batchSeq,
    nextSeq: 1,
    dead: 0,
    failingSinceMs: null,
    disabled: null,
    last: null,
    replay: null,
    retired: false,
  };
}

/** What `status` shows of one endpoint of one source. */
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
