import type { CarriedFile } from '../../src/queue/carrier.ts';
import type { QueueOrder } from '../../src/queue/upload-queue.ts';

const NONE: QueueOrder = { ahead: [], live: [], backlog: [], carriers: [] };

/** Jobs of their own, in line. */
export function inLine(files: readonly CarriedFile[]): QueueOrder {
  return { ...NONE, backlog: files };
}

/** Jobs of their own, ahead of all that waits. */
export function ahead(files: readonly CarriedFile[]): QueueOrder {
  return { ...NONE, ahead: files };
}
