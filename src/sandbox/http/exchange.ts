import type { IncomingMessage } from 'node:http';
import type { ReceivedLog } from '../received-log.ts';

/** One request on its way through an API. */
export interface Exchange {
  readonly req: IncomingMessage;
  /** Path parameters as sent, in the order of the route. */
  readonly params: readonly string[];
  readonly query: URLSearchParams;
}

/** What every API is given. */
export interface ApiContext {
  readonly log: ReceivedLog;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}
