/** One thing that happened to a file, or will. */
export interface TraceEvent {
  /** ISO time; null where only the order is known. */
  readonly at: string | null;
  readonly event:
    | 'seen'
    | 'settled'
    | 'queued'
    | 'attempt'
    | 'accepted'
    | 'uploaded'
    | 'failed'
    | 'skipped'
    | 'recorded'
    | 'due'
    | 'delivered'
    | 'undelivered'
    | 'waiting';
  readonly detail: string;
  /** File version's id and generation. */
  readonly version: string;
}
