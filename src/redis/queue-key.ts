/**
 * BullMQ name of a source's queue. Hash-tagged, so that all keys of one source share a Cluster slot; encoded,
 * because BullMQ refuses `:` and a brace inside the tag would end it early.
 */
export function queueName(source: string): string {
  return `{${encodeURIComponent(source)}}`;
}

/** A key of ours beside the queue's, in the same Cluster slot. */
export function sourceKey(prefix: string, source: string, rest: string): string {
  return `${prefix}:${queueName(source)}:slipway:${rest}`;
}

/** The record of a destination, in a Cluster slot of its own. No source can be called so: `:` is encoded there. */
export function destinationKey(prefix: string, destination: string): string {
  return `${prefix}:{dest:${encodeURIComponent(destination)}}:state`;
}
