import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { queueName } from '../redis/queue-key.ts';

/** The server that a board is shown by, as the board's own adapters are. */
export type BoardServer = Parameters<typeof createBullBoard>[0]['serverAdapter'];

/** A board over the queues of sources, for looking only. */
export interface QueueBoard {
  /** From now on these are shown. The connection is the caller's to close. */
  show(sources: readonly string[], connection: Redis, prefix: string): Promise<void>;
  /** None is shown any more. */
  hide(): Promise<void>;
}

/** A board without queues. */
export function createQueueBoard(serverAdapter: BoardServer, title: string): QueueBoard {
  const board = createBullBoard({ queues: [], serverAdapter, options: { uiConfig: { boardTitle: title } } });
  let shown: Queue[] = [];
  async function hide(): Promise<void> {
    const queues = shown;
    shown = [];
    board.setQueues([]);
    await Promise.all(queues.map((queue) => queue.close()));
  }
  return {
    hide,
    async show(sources, connection, prefix) {
      await hide();
      shown = sources.map((source) => {
        const queue = new Queue(queueName(source), { connection, prefix, skipMetasUpdate: true });
        queue.on('error', () => undefined);
        return queue;
      });
      board.setQueues(shown.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true })));
    },
  };
}
