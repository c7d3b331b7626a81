/**
 * The three BullMQ queues of a source. `live`: what goes ahead, one file a job. `backlog`: what was found, one file a
 * job; its name is that of the one queue of older versions, whose jobs are read as they are. `carriers`: up to 16 small
 * files a job, for the owner's process alone.
 */
export type QueueKind = 'live' | 'backlog' | 'carriers';
export const QUEUE_KINDS: readonly QueueKind[] = ['live', 'backlog', 'carriers'];

/**
 * BullMQ name of a source's queue. Hash-tagged, so that all keys of one source share a Cluster slot; encoded,
 * because BullMQ refuses `:` and a brace inside the tag would end it early.
 */
export function queueName(source: string, kind: QueueKind = 'backlog'): string {
  const tag = `{${encodeURIComponent(source)}}`;
  return kind === 'backlog' ? tag : `${tag}.${kind}`;
}

/** A key of ours beside the queues', in the same Cluster slot. */
export function sourceKey(prefix: string, source: string, rest: string): string {
  return `${prefix}:${queueName(source)}:slipway:${rest}`;
}

/** The record of a destination, in a Cluster slot of its own. No source can be called so: `:` is encoded there. */
export function destinationKey(prefix: string, destination: string): string {
  return `${prefix}:{dest:${encodeURIComponent(destination)}}:state`;
}
