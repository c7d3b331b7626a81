import { type BackendFactory, createRedisBackend, type RedisQueueBackend } from 'bullmq';
import type { Redis } from 'ioredis';
import { redisScript } from '../../redis/redis-script.ts';
import { FINISH_AND_TAKE_LUA } from './finish-and-take-script.ts';
import { microBatch } from './micro-batch.ts';

const finishAndTake = redisScript(FINISH_AND_TAKE_LUA);

type MoveToCompleted = RedisQueueBackend['moveToCompleted'];
type FinishedJob = Parameters<MoveToCompleted>[0];

/** One finished job on its way to Redis. */
interface Finish {
  readonly job: FinishedJob;
  /** As JSON. */
  readonly returnValue: string;
  readonly removeOnComplete: Parameters<MoveToCompleted>[2];
  readonly token: string;
  readonly fetchNext: boolean;
  readonly settle: (raw: Promise<unknown>, finishedOn: number) => void;
}

/**
 * BullMQ's own Redis backend, but jobs that finish at about the same time are completed in one script, which takes the
 * next ones too: a third of the processor time of this process and of Redis went into one round trip per job.
 * Everything else, and one job of each batch, goes through BullMQ's scripts. Processors return JSON, written once.
 * @param connection the worker's own commands go there too, so the order is kept
 * @param running jobs whose processor has not returned
 */
export function gatheredBackend(
  connection: Redis,
  lockDurationMs: number,
  running: () => number,
): BackendFactory<RedisQueueBackend> {
  return (name, opts, context) => {
    const backend = createRedisBackend(name, opts, context);
    const execCommand = backend.execCommand.bind(backend);
    const scriptKeys = ['wait', 'active', 'completed', 'stalled', 'meta', 'marker', 'delayed'].map((key) =>
      backend.toKey(key),
    );

    async function completeOne(finish: Finish): Promise<unknown> {
      const { job, returnValue, removeOnComplete, token, fetchNext } = finish;
      const args = backend.moveToCompletedArgs(job, returnValue, removeOnComplete, token, fetchNext);
      return await execCommand(await backend.client, 'moveToFinished', args);
    }

    const finishes = microBatch<Finish>(running, (gathered) => {
      const finishedOn = Date.now();
      const last = gathered.at(-1);
      const others = gathered.slice(0, -1);
      if (others.length > 0) {
        const args = others.flatMap(({ job, returnValue, token, fetchNext }) => [
          String(job.id),
          token,
          returnValue,
          fetchNext ? '1' : '0',
        ]);
        const settings = [backend.toKey(''), finishedOn, lockDurationMs];
        const answers = finishAndTake(connection, scriptKeys, [...settings, ...args]) as Promise<unknown[]>;
        for (const [index, { settle }] of others.entries())
          settle(
            answers.then((raws) => raws[index]),
            finishedOn,
          );
      }
      last?.settle(completeOne(last), finishedOn);
    });

    // BullMQ reads the answer of its script by this name; ours is in the same form.
    backend.execCommand = (client, command, args) =>
      args.length === 1 && args[0] instanceof Promise ? args[0] : execCommand(client, command, args);

    backend.moveToCompleted = async (job, value, removeOnComplete, token, fetchNext) => {
      const returnValue = String(value);
      const { promise, resolve } = Promise.withResolvers<{ raw: Promise<unknown>; finishedOn: number }>();
      const settle: Finish['settle'] = (raw, finishedOn) => {
        // Where BullMQ gives up before it looks at the answer.
        raw.catch(() => undefined);
        resolve({ raw, finishedOn });
      };
      finishes.add({ job, returnValue, removeOnComplete, token, fetchNext, settle });
      const { raw, finishedOn } = await promise;
      const result = await backend.moveToFinished(String(job.id), [raw] as never);
      return { result, finishedOn };
    };
    return backend;
  };
}
