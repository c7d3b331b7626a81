import { setTimeout as pause } from 'node:timers/promises';
import { type BackendFactory, createRedisBackend, type RedisQueueBackend } from 'bullmq';
import type { Redis } from 'ioredis';
import { redisScript } from '../../redis/redis-script.ts';
import { DONE_TTL_SECONDS, type KeptResults } from '../kept-results.ts';
import { FINISH_AND_TAKE_LUA } from './finish-and-take-script.ts';
import { microBatch } from './micro-batch.ts';

const finishAndTake = redisScript(FINISH_AND_TAKE_LUA);
const SCRIPT_KEYS = ['wait', 'active', 'completed', 'stalled', 'meta', 'marker', 'delayed', 'failed'];
/** After Redis has refused a result for reasons of its own it is asked again this soon, and then less often. */
const RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;

/** One finished job on its way to Redis. */
interface Finish {
  readonly jobId: string;
  /** As JSON. */
  readonly returnValue: string;
  readonly token: string;
  readonly fetchNext: boolean;
  readonly settle: (published: Published) => void;
}

interface Published {
  readonly finishedOn: number;
  /** Answer of the script; 0 where there is no next job in it. */
  readonly raw: Promise<unknown>;
  /** Where BullMQ's own script was asked for the next job. */
  readonly next: Promise<NextJob> | null;
}

type NextJob = Awaited<ReturnType<RedisQueueBackend['moveToActive']>>;

export interface GatheredBackendOptions {
  /** The worker's own commands go there too, so the order is kept. */
  readonly connection: Redis;
  /** What is not published yet. */
  readonly results: Pick<KeptResults, 'doneKeys' | 'published'>;
  readonly lockDurationMs: number;
  /** Jobs whose processor has not returned. */
  readonly running: () => number;
  /** Told of every answer by which Redis did not take results (its disk or its memory is full); they are kept. */
  readonly onTrouble: (error: unknown) => void;
}

/**
 * BullMQ's own Redis backend, but jobs that finish at about the same time are completed in one script, which takes the
 * next ones too: a third of the processor time of this process and of Redis went into one round trip per job. One of
 * each batch gets its next job by BullMQ's own script. Processors return JSON, written once. A result is given up only
 * with the connection: BullMQ would throw it away for a lost lock, and record a refusal of Redis as the job's failure.
 */
export function gatheredBackend(options: GatheredBackendOptions): BackendFactory<RedisQueueBackend> {
  const { connection, results, lockDurationMs, running, onTrouble } = options;
  return (name, opts, context) => {
    const backend = createRedisBackend(name, opts, context);
    const execCommand = backend.execCommand.bind(backend);
    const scriptKeys = SCRIPT_KEYS.map((key) => backend.toKey(key));

    function publish(finishes: readonly Finish[], finishedOn: number): Promise<unknown[]> {
      const args = finishes.flatMap(({ jobId, returnValue, token, fetchNext }) => [
        ...[jobId, token, returnValue, fetchNext ? '1' : '0'],
      ]);
      const settings = [backend.toKey(''), finishedOn, lockDurationMs, results.doneKeys, DONE_TTL_SECONDS];
      return finishAndTake(connection, scriptKeys, [...settings, ...args]) as Promise<unknown[]>;
    }

    /** @returns the raw answer, or 0 where there is no next job in it */
    async function published(finish: Finish, finishedOn: number, first: Promise<unknown>): Promise<unknown> {
      let answer = first;
      for (let retryMs = RETRY_MS; ; retryMs = Math.min(2 * retryMs, MAX_RETRY_MS)) {
        try {
          const raw = await answer;
          if (typeof raw === 'number' && raw < 0) return 0;
          results.published(finish.jobId);
          return raw;
        } catch (error) {
          if (connection.status === 'end') throw error;
          onTrouble(error);
        }
        await pause(retryMs, undefined, { ref: false });
        answer = publish([{ ...finish, fetchNext: false }], finishedOn).then(([raw]) => raw);
      }
    }

    const finishes = microBatch<Finish>(running, (gathered) => {
      const finishedOn = Date.now();
      const last = gathered.at(-1);
      const answers = publish(
        gathered.map((finish) => (finish === last ? { ...finish, fetchNext: false } : finish)),
        finishedOn,
      );
      // In the same breath: a job taken while its result is still refused would be refused as well.
      const next = last?.fetchNext === true ? backend.moveToActive(last.token) : null;
      next?.catch(onTrouble);
      for (const [index, finish] of gathered.entries()) {
        const answer = answers.then((raws) => raws[index]);
        const raw = published(finish, finishedOn, answer);
        finish.settle({ finishedOn, raw, next: finish === last ? next : null });
      }
    });

    // BullMQ reads the answer of its script by this name; ours is in the same form.
    backend.execCommand = (client, command, args) =>
      args.length === 1 && args[0] instanceof Promise ? args[0] : execCommand(client, command, args);

    backend.moveToCompleted = async (job, value, _removeOnComplete, token, fetchNext) => {
      const { promise, resolve } = Promise.withResolvers<Published>();
      const settle: Finish['settle'] = (done) => {
        // Where BullMQ gives up before it looks at the answer.
        done.raw.catch(() => undefined);
        resolve(done);
      };
      finishes.add({ jobId: String(job.id), returnValue: String(value), token, fetchNext, settle });
      const { raw, next, finishedOn } = await promise;
      if (next === null)
        return { result: await backend.moveToFinished(String(job.id), [raw] as never), finishedOn };
      await raw;
      return { result: await next.catch(() => []), finishedOn };
    };
    return backend;
  };
}
