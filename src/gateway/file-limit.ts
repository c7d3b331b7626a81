import type { OpenRoute } from './entry.ts';

export interface FileLimit {
  readonly maxBytes: number;
  /** Whose limit it is, for the message. */
  readonly limitOf: string;
}

/** The smaller of the door's own limit and the destination's. */
export function fileLimitOf(route: OpenRoute, doorBytes: number): FileLimit {
  const { mostBytes } = route.target;
  return mostBytes !== null && mostBytes < doorBytes
    ? { maxBytes: mostBytes, limitOf: 'this destination' }
    : { maxBytes: doorBytes, limitOf: 'the gateway (gateway.maxBytes)' };
}
